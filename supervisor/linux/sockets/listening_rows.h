// What listens in this network. The kernel is asked for that alone: its table of all TCP sockets may have tens
// of thousands of connections, and takes seconds to read then.
#pragma once

#include <vector>

#include "linux/proc/net_table.h"

namespace graced {

// Where the kernel has no sock_diag the table is read after all; what cannot be read has no rows.
std::vector<InternetRow> listening_tcp();
std::vector<InternetRow> listening_udp();

}  // namespace graced
