#include "top/cpu_meter.h"

namespace graced {
namespace {

// The kernel counts in ticks of up to 10 ms: over less than this a share would jump.
constexpr Duration shortest = 500ms;

}  // namespace

std::optional<double> CpuMeter::look(const std::string& what, Duration used, Instant now) {
  const auto [at, first] = looks_.try_emplace(what, Look{used, now, {}, true});
  Look& last = at->second;
  last.fresh = true;
  if (first) return std::nullopt;
  if (used < last.used) {
    last = {used, now, {}, true};
    return std::nullopt;
  }
  if (now - last.at < shortest) return last.share;
  last.share = std::chrono::duration<double>(used - last.used) / std::chrono::duration<double>(now - last.at);
  last.used = used;
  last.at = now;
  return last.share;
}

void CpuMeter::forget_others() {
  std::erase_if(looks_, [](auto& look) { return !look.second.fresh; });
  for (auto& [what, look] : looks_) look.fresh = false;
}

}  // namespace graced
