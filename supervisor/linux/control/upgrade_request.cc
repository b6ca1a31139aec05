#include "linux/control/upgrade_request.h"

#include <fmt/format.h>

#include <chrono>

#include "linux/base/own_process.h"

namespace graced {

std::string own_upgrade_token() {
  static unsigned asked = 0;
  return fmt::format("{}-{}-{}", own_pid(), std::chrono::steady_clock::now().time_since_epoch().count(),
                     ++asked);
}

}  // namespace graced
