#include "linux/sockets/listening_rows.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <system_error>

#include "linux/proc/proc_file.h"
#include "linux/sockets/socket_list.h"

namespace graced {
namespace {

std::vector<InternetRow> listening_rows(std::initializer_list<const char*> tables) {
  std::vector<InternetRow> rows = internet_rows(tables);
  std::erase_if(rows, [](const InternetRow& row) { return !row.listens || row.inode == 0; });
  return rows;
}

}  // namespace

std::vector<InternetRow> internet_rows(std::initializer_list<const char*> tables) {
  std::vector<InternetRow> rows;
  for (const char* const table : tables) {
    const std::string text = contents_of(std::string("/proc/self/net/") + table).value_or("");
    std::ranges::move(parse_internet_table(text), std::back_inserter(rows));
  }
  return rows;
}

std::vector<InternetRow> listening_tcp() {
  try {
    std::vector<InternetRow> rows;
    SocketList().each_tcp_listener([&](const TcpSeen& seen) {
      if (seen.inode != 0) rows.push_back({seen.local, true, seen.inode});
    });
    return rows;
  } catch (const std::system_error&) { return listening_rows({"tcp", "tcp6"}); }
}

std::vector<InternetRow> listening_udp() {
  return listening_rows({"udp", "udp6"});
}

}  // namespace graced
