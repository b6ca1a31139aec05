// How long a worker has once it is told to leave, as graced wrote it into the environment.
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "graced/child.hpp"

namespace graced::child {
namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

// "60", "0.5"; nullopt: not there, for ever ("infinity"), or nothing that graced writes.
std::optional<Seconds> seconds_in(const char* variable) noexcept {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  const std::string_view all = text;
  double seconds = 0;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), seconds);
  // More than a year is as good as for ever, and fits every clock.
  const bool sound = error == std::errc{} && end == all.data() + all.size() && seconds >= 0;
  return sound && seconds <= 366 * 86400.0 ? std::optional(Seconds(seconds)) : std::nullopt;
}

}  // namespace

std::optional<std::chrono::milliseconds> drain_limit() noexcept {
  std::optional<Seconds> least;
  const std::optional<Seconds> grace = seconds_in("GRACED_DRAIN_GRACE");
  for (const char* const variable : {"GRACED_DRAIN_TIMEOUT", "GRACED_STOP_TIMEOUT"}) {
    std::optional<Seconds> limit = seconds_in(variable);
    if (!limit) continue;
    if (grace) limit = std::min(*grace, *limit / 4);  // the signal comes so late
    if (!least || *limit < *least) least = limit;
  }
  if (!least) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(*least - std::min<Seconds>(1s, *least / 20));
}

}  // namespace graced::child
