// What listens in this network. The kernel is asked for that alone: its table of all TCP sockets may have tens
// of thousands of connections, and takes seconds to read then.
#pragma once

#include <initializer_list>
#include <vector>

#include "linux/proc/net_table.h"

namespace graced {

// All that is in these tables of /proc/self/net. One that cannot be read has no rows.
std::vector<InternetRow> internet_rows(std::initializer_list<const char*> tables);

// Where the kernel has no sock_diag the table is read after all; what cannot be read has no rows.
std::vector<InternetRow> listening_tcp();
std::vector<InternetRow> listening_udp();

}  // namespace graced
