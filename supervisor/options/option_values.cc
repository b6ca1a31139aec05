// One reader and one writer for each kind of value.
#include "options/option_values.h"

#include <fmt/format.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): sigabbrev_np is not in <cstring>

#include <algorithm>

#include "core/bad_value.h"
#include "core/number.h"
#include "core/suggest.h"
#include "linux/self/cpus.h"
#include "options/shell_words.h"

namespace graced {

std::uint64_t read_size(std::string_view text) {
  const auto size = parse_size(text);
  if (!size || *size == 0) throw bad("'{}' is not a size such as 64M or 1G", text);
  return *size;
}

unsigned read_count(std::string_view text, unsigned min, unsigned max) {
  if (const auto n = parse_number<unsigned>(text, min, max)) return *n;
  throw bad("not a number between {} and {}", min, max);
}

Duration read_time(std::string_view text) {
  if (const auto time = parse_duration(text)) return *time;
  throw bad("not a time, as in 250ms, 5s, 2min, 1h or infinity");
}

Duration read_finite_time(std::string_view text) {
  const auto time = parse_duration(text);
  if (time && *time != infinity) return *time;
  throw bad("not a time that ends, as in 250ms, 5s, 2min or 1h");
}

std::string read_name(std::string_view text) {
  if (text.empty()) throw bad("a name cannot be empty");
  if (text == "." || text == "..") throw bad("a name cannot be '.' or '..'");
  if (text.find('/') != std::string_view::npos) throw bad("a name cannot have a '/' in it");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; })) {
    throw bad("a name cannot have control characters in it");
  }
  return std::string{text};
}

std::string read_text(std::string_view text) {
  if (text.empty()) throw bad("it is empty");
  return std::string{text};
}

std::string read_path(std::string_view text) {
  if (text.empty()) throw bad("the path is empty");
  return std::string{text};
}

std::vector<std::string> read_command(std::string_view text) {
  auto words = split_shell_words(text);
  if (words.empty() || words.front().empty()) throw bad("the command is empty");
  return words;
}

unsigned read_umask(std::string_view text) {
  if (const auto mask = parse_number<unsigned>(text, 0, 0777, 8)) return *mask;
  throw bad("not an octal mask, as in 0027");
}

std::string signal_name(int number) {
  if (const char* name = ::sigabbrev_np(number)) return name;
  if (number == SIGRTMIN) return "RTMIN";
  return fmt::format("RTMIN+{}", number - SIGRTMIN);
}

int read_signal(std::string_view text) {
  auto name = upper_case(text);
  if (name.starts_with("SIG")) name.erase(0, 3);

  std::vector<std::string> names;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    const bool known = ::sigabbrev_np(number) != nullptr || number >= SIGRTMIN;
    if (!known) continue;
    names.push_back(signal_name(number));
    const bool meant = names.back() == name || fmt::format("{}", number) == name ||
                       (number >= SIGRTMIN && fmt::format("RTMAX-{}", SIGRTMAX - number) == name) ||
                       (number == SIGRTMAX && name == "RTMAX");
    if (!meant) continue;
    if (number == SIGKILL || number == SIGSTOP)
      throw bad("{} cannot be caught, so no worker could finish anything", names.back());
    return number;
  }
  const std::vector<std::string_view> known{names.begin(), names.end()};
  throw bad("no signal{}", did_you_mean(name, known, ", as in TERM, QUIT or RTMIN+1"));
}

unsigned read_workers(std::string_view text) {
  constexpr unsigned most = 1024;
  if (text == "auto") return std::min(available_cpus(), most);
  if (const auto n = parse_number<unsigned>(text, 1, most)) return *n;
  throw bad("not a number between 1 and {}, nor auto", most);
}

MaxSurge read_max_surge(std::string_view text) {
  constexpr unsigned most = 1024;
  if (text == "all") return {};
  const bool percent = text.ends_with('%');
  const auto n = parse_number<unsigned>(text.substr(0, text.size() - percent), 1, percent ? 100 : most);
  if (!n) throw bad("not a number of workers between 1 and {}, nor a part of them as in 25%, nor all", most);
  return {*n, percent};
}

std::string to_text(const MaxSurge& surge) {
  return surge.limits() ? fmt::format("{}{}", surge.amount, surge.percent ? "%" : "") : "all";
}

void read_probe(std::string_view text, RunOptions& options) {
  constexpr std::size_t most_probes = 16;
  if (options.probes.size() == most_probes)
    throw bad("there are {} probes already, which is the most", most_probes);
  ProbeSpec spec = parse_probe_spec(text);
  if (spec.kind == ProbeSpec::Kind::command) read_command(spec.command);
  options.policy.probes.push_back(spec.rule);
  options.probes.push_back(std::move(spec));
}

void read_start_limit(std::string_view text, Policy& policy) {
  constexpr unsigned most = 1'000'000;
  const auto slash = text.find('/');
  const auto exits = parse_number<unsigned>(text.substr(0, slash), 0, most);
  const auto window = slash == std::string_view::npos ? std::nullopt : parse_duration(text.substr(slash + 1));
  if (!exits || !window || *window == Duration::zero()) {
    throw bad("not N/TIME, as in 10/60s, with N between 0 and {}", most);
  }
  policy.start_limit = *exits;
  policy.start_limit_window = *window;
}

}  // namespace graced
