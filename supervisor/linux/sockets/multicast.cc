#include "linux/sockets/multicast.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "linux/base/socket_option.h"

namespace graced {

namespace {

template <class Address>
bool is_member(int fd, int level, unsigned interface, const Address& group) {
  group_filter filter{};
  filter.gf_interface = interface;
  std::memcpy(&filter.gf_group, &group, sizeof group);
  socklen_t size = sizeof filter;
  return ::getsockopt(fd, level, MCAST_MSFILTER, &filter, &size) == 0;
}

// A line for each interface, "2	eth0      :     1      V3", then an indented one for each of its groups.
bool is_member_v4(int fd) {
  std::ifstream igmp("/proc/self/net/igmp");
  std::string line;
  unsigned interface = 0;
  while (std::getline(igmp, line)) {
    std::istringstream words(line);
    if (!line.starts_with('\t')) {
      words >> interface;
      continue;
    }
    sockaddr_in group{};
    group.sin_family = AF_INET;
    if (words >> std::hex >> group.sin_addr.s_addr && is_member(fd, IPPROTO_IP, interface, group)) return true;
  }
  return false;
}

// "2    eth0            ff020000000000000000000000000001     1 0000000C 0"
bool is_member_v6(int fd) {
  std::ifstream igmp("/proc/self/net/igmp6");
  std::string line;
  while (std::getline(igmp, line)) {
    std::istringstream words(line);
    unsigned interface = 0;
    std::string name;
    std::string digits;
    if (!(words >> interface >> name >> digits) || digits.size() != 2 * sizeof(in6_addr)) continue;
    for (std::size_t colon = 4; colon < digits.size(); colon += 5) digits.insert(colon, ":");
    sockaddr_in6 group{};
    group.sin6_family = AF_INET6;
    if (::inet_pton(AF_INET6, digits.c_str(), &group.sin6_addr) == 1 &&
        is_member(fd, IPPROTO_IPV6, interface, group)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool hears_multicast(int fd) {
  if (socket_option(fd, SOL_SOCKET, SO_TYPE) != SOCK_DGRAM) return false;
  return socket_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6 ? is_member_v6(fd) : is_member_v4(fd);
}

}  // namespace graced
