// Time as the core sees it: an instant is handed in, never read from a clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace graced {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

using namespace std::chrono_literals;

// "As long as it takes." Sums with it stay infinite, see after().
inline constexpr Duration infinity = Duration::max();
inline constexpr Instant no_deadline = Instant::max();

// now + d, where an infinite (or overflowing) d gives `no_deadline`.
constexpr Instant after(Instant now, Duration d) {
  return d >= no_deadline - now ? no_deadline : now + d;
}

// What is left until then; negative once it is past, infinite for `no_deadline`.
constexpr Duration time_until(Instant deadline, Instant now) {
  return deadline == no_deadline ? infinity : deadline - now;
}

// "250ms", "5s", "2min", "1h", "1.5h", "1min 30s", "infinity"; a bare number is seconds. Units as in
// systemd.time(7): ns, us, ms, s/sec, m/min, h/hr, d. Nothing negative. nullopt if it is none of these.
std::optional<Duration> parse_duration(std::string_view text);

// The shortest form that parse_duration reads back: "1min 30s", "250ms", "infinity".
std::string to_text(Duration d);

// For people: two units at most, rounded down ("3h 12min", "1.2s", "85ms").
std::string to_rough_text(Duration d);

}  // namespace graced
