// Where graced is in the v2 hierarchy of cgroups, see cgroups(7).
#pragma once

#include <string>

namespace graced {

// "/system.slice/shop.service"; empty: in none.
std::string own_cgroup();

// Where the hierarchy is mounted as a whole; empty: nowhere.
std::string cgroup_mount_point();

}  // namespace graced
