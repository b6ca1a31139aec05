#include "workers/line_form.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "core/timestamp.h"
#include "linux/self/journal_socket.h"

namespace graced {

namespace {

constexpr std::string_view goes_on = "...";
constexpr char usual_level = '6';  // info, as that of systemd for what a service writes

// All ASCII, so that no control character of any kind gets through.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string_view name_of(const Speaker& speaker) {
  return speaker.at_stderr ? "stderr" : "stdout";
}

// Takes the level off.
char level_of(std::string_view& text) {
  if (text.size() < 3 || text[0] != '<' || text[1] < '0' || text[1] > '7' || text[2] != '>') return usual_level;
  const char level = text[1];
  text.remove_prefix(3);
  return level;
}

}  // namespace

LineForm::LineForm(Kind kind, std::string_view instance, const Speaker& speaker)
    : kind_(kind), instance_(instance), speaker_(speaker) {
  if (kind_ != Kind::json) {
    head_ = subject(speaker_);
    return;
  }
  head_ = fmt::format(R"("name":{},"stream":"{}",)", json_text(instance_), name_of(speaker_));
  if (speaker_.generation) head_ += fmt::format(R"("generation":{},)", *speaker_.generation);
  if (speaker_.worker) head_ += fmt::format(R"("worker":{},)", *speaker_.worker);
  head_ += fmt::format(R"("pid":{},"text":)", speaker_.pid);
}

std::string LineForm::line(const LinePiece& piece, std::chrono::system_clock::time_point at) const {
  if (kind_ == Kind::json) {
    return fmt::format(R"({{"time":"{}",{}{}{}}})", to_timestamp(at), head_, json_text(piece.text),
                       piece.continues ? R"(,"continues":true)" : "") +
           '\n';
  }
  std::string line = kind_ == Kind::timed_text ? to_timestamp(at) + " " : "";
  line += head_;
  if (piece.continues) line += goes_on;
  line += piece.text;
  line += '\n';
  return line;
}

std::string LineForm::entry(const LinePiece& piece) const {
  std::string_view text = piece.text;
  const char level = piece.continues ? usual_level : level_of(text);
  std::vector<std::string> fields{
      fmt::format("MESSAGE={}{}{}", head_, piece.continues ? goes_on : "", text),
      fmt::format("PRIORITY={}", level),
      "SYSLOG_IDENTIFIER=graced",
      fmt::format("GRACED_NAME={}", instance_),
      fmt::format("GRACED_STREAM={}", name_of(speaker_)),
      fmt::format("GRACED_WORKER_PID={}", speaker_.pid),
  };
  if (speaker_.generation) fields.push_back(fmt::format("GRACED_GENERATION={}", *speaker_.generation));
  if (speaker_.worker) fields.push_back(fmt::format("GRACED_WORKER={}", *speaker_.worker));
  if (piece.continues) fields.emplace_back("GRACED_CONTINUES=1");
  return journal_entry(fields);
}

}  // namespace graced
