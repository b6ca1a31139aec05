// What listens in this network, as /proc tells.
#pragma once

#include <initializer_list>
#include <vector>

#include "linux/proc/net_table.h"

namespace graced {

// tables: of "/proc/self/net". One that cannot be read has no rows.
std::vector<InternetRow> listening_rows(std::initializer_list<const char*> tables);

inline std::vector<InternetRow> listening_tcp() {
  return listening_rows({"tcp", "tcp6"});
}
inline std::vector<InternetRow> listening_udp() {
  return listening_rows({"udp", "udp6"});
}

}  // namespace graced
