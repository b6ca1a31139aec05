// The tables of /proc/net taken apart: which socket, by its inode, is bound where. Nothing here reads a
// file; a row that makes no sense is left out.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "linux/base/socket_name.h"

namespace graced {

struct InternetRow {  // of tcp, tcp6, udp, udp6
  Endpoint bound;
  bool listens;  // or, for UDP, takes datagrams from everybody
  std::uint64_t inode;
};
std::vector<InternetRow> parse_internet_table(std::string_view text);

struct UnixRow {
  bool datagrams;
  bool connected;
  std::uint64_t inode;
  std::string_view path;  // within the text; empty if it is unnamed
};
std::vector<UnixRow> parse_unix_table(std::string_view text);

}  // namespace graced
