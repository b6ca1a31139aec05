// One reader and one writer for each kind of value.
#include "options/option_values.h"

#include <fmt/format.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): sigabbrev_np is not in <cstring>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "core/nearest.h"
#include "core/number.h"
#include "linux/cpus.h"
#include "options/shell_words.h"

namespace graced {

namespace {

template <class... Args>
std::invalid_argument bad(fmt::format_string<Args...> what, Args&&... args) {
  return std::invalid_argument{fmt::format(what, std::forward<Args>(args)...)};
}

std::string upper(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

// ---- words, one of a few -----------------------------------------------------------------------

template <class Value>
struct Word {
  std::string_view text;
  Value value;
};

constexpr auto adopt_choices = std::to_array<Word<AdoptChoice>>(
    {{"auto", AdoptChoice::automatic}, {"on", AdoptChoice::on}, {"off", AdoptChoice::off}});

constexpr auto drain_choices = std::to_array<Word<DrainChoice>>(
    {{"auto", DrainChoice::automatic}, {"signal", DrainChoice::signal}, {"idle", DrainChoice::idle}});

constexpr auto restart_rules = std::to_array<Word<RestartRule>>({
    {"always", RestartRule::always},
    {"on-failure", RestartRule::on_failure},
    {"never", RestartRule::never},
});
constexpr auto log_formats = std::to_array<Word<LogFormat>>({
    {"auto", LogFormat::automatic},
    {"text", LogFormat::text},
    {"json", LogFormat::json},
    {"journal", LogFormat::journal},
});
constexpr auto log_levels = std::to_array<Word<LogLevel>>({
    {"error", LogLevel::error},
    {"warning", LogLevel::warning},
    {"info", LogLevel::info},
    {"debug", LogLevel::debug},
});
constexpr auto stderr_rules = std::to_array<Word<bool>>({{"watch", true}, {"inherit", false}});

std::string in_a_row(const std::vector<std::string_view>& words) {
  const std::vector<std::string_view> but_last{words.begin(), words.end() - 1};
  return fmt::format("{} or {}", fmt::join(but_last, ", "), words.back());
}

template <class Words>
auto read_word(std::string_view text, const Words& words) {
  const auto at = std::ranges::find_if(words, [&](const auto& word) { return word.text == text; });
  if (at != words.end()) return at->value;
  std::vector<std::string_view> known;
  for (const auto& word : words) known.push_back(word.text);
  throw bad("not {}{}", in_a_row(known), did_you_mean(text, known));
}

template <class Words, class Value>
std::string text_of(Value value, const Words& words) {
  return std::string{std::ranges::find_if(words, [&](const auto& word) { return word.value == value; })->text};
}

// ---- resources ---------------------------------------------------------------------------------

struct Resource {
  std::string_view name;
  int number;
};

constexpr auto resources = std::to_array<Resource>({
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
});

std::uint64_t read_limit(std::string_view text) {
  if (text == "infinity") return RLIM_INFINITY;
  if (const auto n = parse_size(text); n && *n != RLIM_INFINITY) return *n;
  throw bad("'{}' is no number, as in 1024, 8M or infinity", text);
}

}  // namespace

std::uint64_t read_size(std::string_view text) {
  const auto size = parse_size(text);
  if (!size || *size == 0)
    throw std::invalid_argument{fmt::format("'{}' is not a size such as 64M or 1G", text)};
  return *size;
}

bool read_switch(std::string_view text) {
  if (const auto on = parse_bool(text)) return *on;
  throw std::invalid_argument{fmt::format("'{}' is neither yes nor no", text)};
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
  auto name = upper(text);
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

void read_ready(std::string_view text, Policy& policy) {
  constexpr std::string_view after_prefix = "after:";
  if (text.starts_with(after_prefix)) {
    policy.ready = ReadyRule::after;
    policy.ready_after = read_finite_time(text.substr(after_prefix.size()));
    return;
  }
  constexpr auto rules = std::to_array<Word<ReadyRule>>({
      {"auto", ReadyRule::automatic},
      {"notify", ReadyRule::notify},
      {"listen", ReadyRule::listen},
      {"after:TIME", ReadyRule::after},
  });
  const auto rule = read_word(text, rules);
  if (rule == ReadyRule::after) throw bad("TIME stands for a time, as in after:2s");
  policy.ready = rule;
}

std::string ready_text(const Policy& policy) {
  switch (policy.ready) {
    case ReadyRule::automatic:
      return "auto";
    case ReadyRule::notify:
      return "notify";
    case ReadyRule::listen:
      return "listen";
    case ReadyRule::after:
      return fmt::format("after:{}", to_text(policy.ready_after));
  }
  return {};
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

ResourceLimit read_resource_limit(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) throw bad("not NAME=N or NAME=SOFT:HARD, as in nofile=65536");
  const auto name = text.substr(0, equals);
  // NOFILE is as good as nofile.
  const auto resource =
      std::ranges::find(resources, upper(name), [](const Resource& r) { return upper(r.name); });
  if (resource == resources.end()) {
    std::vector<std::string_view> known;
    for (const auto& each : resources) known.push_back(each.name);
    throw bad("unknown limit '{}'{}", name,
              did_you_mean(name, known, fmt::format(", it is one of {}", in_a_row(known))));
  }

  const auto value = text.substr(equals + 1);
  const auto colon = value.find(':');
  ResourceLimit limit{resource->number, std::string{name}, read_limit(value.substr(0, colon)), 0};
  limit.hard = colon == std::string_view::npos ? limit.soft : read_limit(value.substr(colon + 1));
  if (limit.soft > limit.hard) throw bad("the soft limit is above the hard one");
  return limit;
}

AdoptChoice read_adopt(std::string_view text) {
  return read_word(text, adopt_choices);
}
DrainChoice read_drain(std::string_view text) {
  return read_word(text, drain_choices);
}
RestartRule read_restart(std::string_view text) {
  return read_word(text, restart_rules);
}
LogFormat read_log_format(std::string_view text) {
  return read_word(text, log_formats);
}
LogLevel read_log_level(std::string_view text) {
  return read_word(text, log_levels);
}
bool read_watch_stderr(std::string_view text) {
  return read_word(text, stderr_rules);
}

std::string to_text(AdoptChoice choice) {
  return text_of(choice, adopt_choices);
}
std::string to_text(DrainChoice choice) {
  return text_of(choice, drain_choices);
}
std::string to_text(RestartRule rule) {
  return text_of(rule, restart_rules);
}
std::string to_text(LogFormat format) {
  return text_of(format, log_formats);
}
std::string to_text(LogLevel level) {
  return text_of(level, log_levels);
}

}  // namespace graced
