#include "linux/upgrade/upgrade_call.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <map>
#include <stdexcept>
#include <string_view>

#include "core/hex.h"
#include "core/number.h"
#include "linux/upgrade/state_file.h"

namespace graced {

namespace {

constexpr const char* variable = "GRACED_UPGRADE";

struct Word {
  UpgradeCall::Kind kind;
  std::string_view text;
};
constexpr std::array<Word, 3> words{{{UpgradeCall::Kind::trial, "trial"},
                                     {UpgradeCall::Kind::resume, "resume"},
                                     {UpgradeCall::Kind::back, "back"}}};

std::string_view word_of(UpgradeCall::Kind kind) {
  for (const Word& w : words) {
    if (w.kind == kind) return w.text;
  }
  return "";
}

std::optional<UpgradeCall::Kind> kind_of(std::string_view text) {
  for (const Word& w : words) {
    if (w.text == text) return w.kind;
  }
  return std::nullopt;
}

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (; digits.size() >= 2; digits.remove_prefix(2)) {
    const auto byte = parse_number<unsigned char>(digits.substr(0, 2), 0, 255, 16);
    if (byte) bytes += static_cast<char>(*byte);
  }
  return bytes;
}

std::string_view take_word(std::string_view& text) {
  const std::size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

class Values {
 public:
  // "key=value key=value why=all the rest"
  explicit Values(std::string_view text) {
    while (!text.empty()) {
      const std::string_view rest = text;
      const std::string_view word = take_word(text);
      const std::size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view key = word.substr(0, equals);
      const bool last = key == "why";
      values_[key] = (last ? rest : word).substr(equals + 1);
      if (last) return;
    }
  }

  std::string_view text(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::string_view() : found->second;
  }

  template <class T>
  T number(std::string_view key, T otherwise, int base = 10) const {
    const std::string_view digits = text(key);
    if (digits.empty()) return otherwise;
    const auto value = parse_number<T>(digits, 0, std::numeric_limits<T>::max(), base);
    if (!value) throw std::runtime_error(fmt::format("{}: {}={} is no number", variable, key, digits));
    return *value;
  }

 private:
  std::map<std::string_view, std::string_view> values_;
};

}  // namespace

std::string text_of(const UpgradeCall& call, pid_t to) {
  std::string text = fmt::format("{}={} pid={} state={}", variable, word_of(call.kind), to, call.state);
  if (call.answer >= 0) text += fmt::format(" answer={}", call.answer);
  if (call.old >= 0) text += fmt::format(" old={}", call.old);
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(call.limit).count();
  return text +
         fmt::format(" limit-ms={} mask={:x} name={} why={}", limit, call.mask, in_hex(call.name), call.why);
}

std::optional<UpgradeCall> take_upgrade_call() {
  const char* value = ::getenv(variable);
  if (!value) return std::nullopt;
  const std::string all = value;
  ::unsetenv(variable);

  std::string_view rest = all;
  const auto kind = kind_of(take_word(rest));
  const Values values(rest);
  if (!kind || values.text("pid") != fmt::format("{}", ::getpid())) return std::nullopt;

  UpgradeCall call;
  call.kind = *kind;
  call.state = values.number("state", -1);
  call.answer = values.number("answer", -1);
  call.old = values.number("old", -1);
  call.limit = std::chrono::milliseconds(values.number("limit-ms", 0));
  call.mask = values.number("mask", std::uint64_t{0}, 16);
  call.name = from_hex(values.text("name"));
  call.why = values.text("why");
  if (!is_state(call.state)) return std::nullopt;  // nobody but an image of graced makes one
  if (!call.name.empty()) ::prctl(PR_SET_NAME, call.name.c_str());
  return call;
}

}  // namespace graced
