// Numbers as people write them. All or nothing: a text with anything else in it is no number.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace graced {

// Plain digits of the base, no sign for an unsigned T, between min and max.
template <std::integral T>
std::optional<T> parse_number(std::string_view text, T min = std::numeric_limits<T>::min(),
                              T max = std::numeric_limits<T>::max(), int base = 10) {
  T value{};
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end || value < min || value > max) return std::nullopt;
  return value;
}

// The number that a text begins with, which is taken from it; what follows stays. nullopt: there is none, or
// none that T can have.
template <std::integral T>
std::optional<T> take_number(std::string_view& text, int base = 10) {
  T value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return value;
}

// The same where what follows does not matter.
template <std::integral T>
std::optional<T> leading_number(std::string_view text, int base = 10) {
  return take_number<T>(text, base);
}

// "4096", "64K", "8M", "1G", "2T": bytes, by powers of 1024.
std::optional<std::uint64_t> parse_size(std::string_view text);

// "yes", "no", "true", "false", "on", "off", "1", "0". Throws std::invalid_argument with one line about the
// text.
bool yes_or_no(std::string_view text);

}  // namespace graced
