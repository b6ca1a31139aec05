#include "workers/output_log.h"

namespace graced {

namespace {
constexpr Duration together = 20ms;  // what comes in that time is one answer
}

void OutputLog::await() {
  if (!soon_) soon_ = loop_.timer([this] { more_(); });
  awaited_ = true;
}

void OutputLog::came() {
  if (std::exchange(awaited_, false)) soon_.fire_at(monotonic_now() + together);
}

}  // namespace graced
