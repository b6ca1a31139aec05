// A table of words for each choice, read and written by the same two functions.
#include "options/choice_values.h"

#include <algorithm>
#include <array>

#include "core/bad_value.h"
#include "core/suggest.h"
#include "options/option_values.h"

namespace graced {

namespace {

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
constexpr auto output_choices = std::to_array<Word<OutputChoice>>({
    {"plain", OutputChoice::plain},
    {"prefix", OutputChoice::prefix},
    {"prefix-time", OutputChoice::prefix_time},
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
constexpr auto change_rules = std::to_array<Word<bool>>({{"allow", true}, {"refuse", false}});
constexpr auto watch_rules = std::to_array<Word<bool>>({{"watch", true}, {"inherit", false}});

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

}  // namespace

AdoptChoice read_adopt(std::string_view text) {
  return read_word(text, adopt_choices);
}
DrainChoice read_drain(std::string_view text) {
  return read_word(text, drain_choices);
}
RestartRule read_restart(std::string_view text) {
  return read_word(text, restart_rules);
}
OutputChoice read_output(std::string_view text) {
  return read_word(text, output_choices);
}
LogFormat read_log_format(std::string_view text) {
  return read_word(text, log_formats);
}
LogLevel read_log_level(std::string_view text) {
  return read_word(text, log_levels);
}
bool read_adopt_changes(std::string_view text) {
  return read_word(text, change_rules);
}
bool read_watch(std::string_view text) {
  return read_word(text, watch_rules);
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
std::string to_text(OutputChoice choice) {
  return text_of(choice, output_choices);
}
std::string to_text(LogFormat format) {
  return text_of(format, log_formats);
}
std::string to_text(LogLevel level) {
  return text_of(level, log_levels);
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

}  // namespace graced
