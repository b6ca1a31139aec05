// sd_notify(3), upwards, on change only.
#include "linux/upstream.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <chrono>

namespace graced {

namespace {

std::string news_of(Phase phase) {
  switch (phase) {
    case Phase::starting:
    case Phase::finished:
      return "";
    case Phase::serving:
      return "READY=1\n";
    case Phase::reloading: {
      // CLOCK_MONOTONIC, which is what steady_clock reads.
      const auto now = std::chrono::steady_clock::now().time_since_epoch();
      return fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n",
                         std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    }
    case Phase::stopping:
      return "STOPPING=1\n";
  }
  return "";
}

}  // namespace

void Upstream::tell(Phase phase, const std::string& story) {
  std::string message;
  if (phase != told_phase_) message += news_of(phase);
  if (story != told_story_) message += "STATUS=" + story + "\n";
  if (message.empty()) return;
  told_phase_ = phase;
  told_story_ = story;
  sd_notify(0, message.c_str());  // a manager that does not listen must not stop us
}

}  // namespace graced
