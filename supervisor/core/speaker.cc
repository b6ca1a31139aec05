#include "core/speaker.h"

#include <fmt/format.h>

namespace graced {

std::string subject(std::optional<std::uint64_t> generation, std::optional<unsigned> worker,
                    std::optional<int> pid) {
  std::string text;
  const auto add = [&](std::string_view what, auto value) {
    if (value) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, *value);
  };
  add("generation", generation);
  add("worker", worker);
  add("PID", pid);
  return text.empty() ? text : text + ": ";
}

std::string subject(const Speaker& speaker) {
  return subject(speaker.generation, speaker.worker, speaker.pid);
}

}  // namespace graced
