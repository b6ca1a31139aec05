// What somebody wants who asks at the control socket that another image takes the place of this one.
#pragma once

#include <string>

namespace graced {

struct UpgradeRequest {
  std::string binary;       // the path of the new image, absolute; empty: that which this one was started from
  bool check_only = false;  // it is tried, and does not take over
  std::string token;  // the asker's own: by it he finds what came of it, as his connection ends with this image
};

// One that nobody else on this machine has.
std::string own_upgrade_token();

}  // namespace graced
