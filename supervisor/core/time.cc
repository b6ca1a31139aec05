// TIME, read from and written as `250ms`, `5s`, `2min`, `1h`, `infinity`.
#include "core/time.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>

namespace graced {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// The first name of each is the one written; the largest comes first.
constexpr auto units = std::to_array<Unit>({
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"min", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
    {"hr", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"sec", 1'000'000'000},
});
constexpr auto written_units = std::span{units}.first<7>();

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Takes the characters at the front that are all of one kind.
std::string_view take(std::string_view& text, bool (*kind)(char)) {
  std::size_t n = 0;
  while (n < text.size() && kind(text[n])) ++n;
  const auto taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

const Unit* find_unit(std::string_view name) {
  for (const auto& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// "12" or "1.5" of a unit; nullopt if that is more than a Duration holds.
std::optional<std::int64_t> times(std::string_view whole, std::string_view fraction, std::int64_t unit) {
  std::int64_t value = 0;
  for (const char c : whole) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value)) return {};
  }
  if (__builtin_mul_overflow(value, unit, &value)) return {};

  for (const char c : fraction) {
    unit /= 10;
    if (__builtin_add_overflow(value, (c - '0') * unit, &value)) return {};
  }
  return value;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  take(text, is_blank);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  if (text == "infinity") return infinity;
  if (text.empty()) return std::nullopt;

  std::int64_t total = 0;
  for (bool first = true; !text.empty(); first = false) {
    const auto whole = take(text, is_digit);
    std::string_view fraction;
    if (!text.empty() && text.front() == '.') {
      text.remove_prefix(1);
      fraction = take(text, is_digit);
      if (fraction.empty()) return std::nullopt;
    }
    if (whole.empty()) return std::nullopt;
    take(text, is_blank);
    const auto name = take(text, is_letter);
    take(text, is_blank);

    // A number without a unit stands alone: "1 30" would be anybody's guess.
    const bool bare = name.empty() && first && text.empty();
    const Unit* unit = find_unit(bare ? "s" : name);
    if (unit == nullptr) return std::nullopt;

    const auto part = times(whole, fraction, unit->nanoseconds);
    if (!part || __builtin_add_overflow(total, *part, &total)) return std::nullopt;
  }
  if (total == infinity.count()) return std::nullopt;
  return Duration{total};
}

std::string to_text(Duration d) {
  if (d == infinity) return "infinity";
  if (d <= Duration::zero()) return "0s";

  std::string text;
  auto rest = d.count();
  for (const auto& unit : written_units) {
    if (rest < unit.nanoseconds) continue;
    if (!text.empty()) text += ' ';
    text += fmt::format("{}{}", rest / unit.nanoseconds, unit.name);
    rest %= unit.nanoseconds;
  }
  return text;
}

std::string to_rough_text(Duration d) {
  if (d == infinity) return "infinity";
  if (d <= Duration::zero()) return "0s";

  std::size_t i = 0;
  while (d.count() < written_units[i].nanoseconds) ++i;
  const auto& unit = written_units[i];
  const auto whole = d.count() / unit.nanoseconds;
  const auto rest = d.count() % unit.nanoseconds;

  // Above a second people think in the next smaller unit, below it one number says enough.
  if (unit.nanoseconds > 1'000'000'000) {
    const auto& next = written_units[i + 1];
    const auto part = rest / next.nanoseconds;
    return part == 0 ? fmt::format("{}{}", whole, unit.name)
                     : fmt::format("{}{} {}{}", whole, unit.name, part, next.name);
  }
  const auto tenth = unit.nanoseconds == 1'000'000'000 && whole < 10 ? rest / 100'000'000 : 0;
  return tenth == 0 ? fmt::format("{}{}", whole, unit.name) : fmt::format("{}.{}{}", whole, tenth, unit.name);
}

}  // namespace graced
