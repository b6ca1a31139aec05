// One assignment a line, the last of a kind counts.
#include "core/notify_text.h"

#include <algorithm>
#include <array>

#include "core/number.h"
#include "core/printable.h"

namespace graced {

namespace {

constexpr std::size_t longest_status = 512;

std::string harmless(std::string_view text) {
  std::string clean(text.substr(0, longest_status));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return clean;
}

std::optional<Duration> microseconds(std::string_view digits) {
  const auto us = parse_number<std::uint64_t>(digits);
  if (!us) return std::nullopt;
  constexpr auto most = static_cast<std::uint64_t>(std::chrono::microseconds::max().count() / 1000);
  if (*us > most) return infinity;
  return std::chrono::microseconds(*us);
}

// What graced knows of by itself, or needs no answer for; what belongs to a word of its own; and what is
// answered where descriptors are closed.
constexpr std::array<std::string_view, 12> no_loss = {
    "MAINPID",      "MAINPIDFDID", "ERRNO",          "BUSERROR", "VARLINKERROR", "EXIT_STATUS",
    "NOTIFYACCESS", "RELOADING",   "MONOTONIC_USEC", "FDNAME",   "FDPOLL",       "BARRIER"};
constexpr std::array<std::string_view, 5> shown_with_value = {"READY", "STOPPING", "WATCHDOG", "FDSTORE",
                                                              "FDSTOREREMOVE"};

constexpr std::size_t most_ignored = 16;
constexpr std::size_t longest_key = 32;
constexpr std::size_t longest_value = 16;

void ignore(NotifyText& said, std::string_view key, std::string_view rest) {
  if (said.ignored.size() == most_ignored || key.starts_with("X_") || std::ranges::count(no_loss, key) > 0)
    return;
  // A value may be a secret, or long.
  const bool with_value = std::ranges::count(shown_with_value, key) > 0;
  std::string word = printable(key.substr(0, longest_key));
  word += printable(rest.substr(0, with_value ? longest_value + 1 : 1));
  if (std::ranges::find(said.ignored, word) == said.ignored.end()) said.ignored.push_back(std::move(word));
}

}  // namespace

NotifyText parse_notify_text(std::string_view datagram) {
  NotifyText said;
  while (!datagram.empty()) {
    const std::size_t end = std::min(datagram.find('\n'), datagram.size());
    const std::string_view line = datagram.substr(0, end);
    datagram.remove_prefix(std::min(end + 1, datagram.size()));

    if (line.empty()) continue;
    const std::size_t equals = std::min(line.find('='), line.size());
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(std::min(equals + 1, line.size()));
    const bool assigns = equals < line.size();
    if (assigns && key == "READY" && value == "1") {
      said.ready = true;
    } else if (assigns && key == "STOPPING" && value == "1") {
      said.stopping = true;
    } else if (assigns && key == "STATUS") {
      said.status = harmless(value);
    } else if (const auto d = assigns && key == "EXTEND_TIMEOUT_USEC" ? microseconds(value) : std::nullopt) {
      said.extend_timeout = d;
    } else {
      ignore(said, key, line.substr(equals));
    }
  }
  return said;
}

}  // namespace graced
