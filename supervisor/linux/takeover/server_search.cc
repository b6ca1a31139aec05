#include "linux/takeover/server_search.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <set>

#include "linux/base/own_process.h"
#include "linux/base/socket_name.h"
#include "linux/proc/look_rights.h"
#include "linux/proc/process.h"
#include "linux/proc/socket_holders.h"
#include "linux/sockets/listening_rows.h"
#include "linux/takeover/server_obstacles.h"

namespace graced {

namespace {

// nullopt: it is no address.
std::optional<Endpoint> read_endpoint(const std::string& host, std::uint16_t port) {
  in6_addr ip{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, host.c_str(), &ip) == 1) return endpoint_of(family, &ip, port);
  }
  return std::nullopt;
}

std::set<ino_t> listening_at(const TakeTarget& target) {
  const auto wanted = read_endpoint(target.host, target.port);
  std::set<ino_t> inodes;
  for (const InternetRow& row : listening_tcp()) {
    const bool meant =
        target.host.empty() ? row.bound.port == target.port : wanted && covers(row.bound, *wanted);
    if (meant) inodes.insert(row.inode);
  }
  return inodes;
}

ServerSearch search_address(const TakeTarget& target) {
  ServerSearch result;
  if (!target.host.empty() && !read_endpoint(target.host, target.port)) {
    result.in_the_way.push_back(fmt::format("'{}' is no IP address", target.host));
    return result;
  }
  const std::set<ino_t> inodes = listening_at(target);
  result.nothing = fmt::format("nothing listens on {}", target.text());
  if (inodes.empty()) return result;

  std::map<pid_t, std::set<ino_t>> holders = all_holders_of(inodes);
  holders.erase(own_pid());
  const bool any = !holders.empty();
  std::erase_if(holders, [](const auto& h) { return is_systemd(h.first); });
  std::vector<pid_t> tops;
  for (const auto& [process, has] : holders) {
    if (!any_above(process, [&](pid_t above) { return holders.contains(above); })) tops.push_back(process);
  }
  if (tops.size() == 1) {
    result.process = tops.front();
  } else if (!tops.empty()) {
    std::vector<std::string> names;
    for (const pid_t top : tops) names.push_back(text_of_process(top));
    result.in_the_way.push_back(fmt::format("several listen on {}: {}: name one of them, or its whole address",
                                            target.text(), fmt::join(names, ", ")));
  } else if (any) {
    result.in_the_way.push_back(fmt::format(
        "systemd itself listens on {} for a .socket unit: have that unit stopped, or give the socket to "
        "graced (see Sockets= in systemd.service(5))",
        target.text()));
  } else {
    result.in_the_way.push_back(fmt::format("somebody listens on {}, and graced may not see who: {}",
                                            target.text(), why_no_look(look_rights())));
  }
  return result;
}

ServerSearch search_unit(const TakeTarget& target) {
  ServerSearch result;
  const auto found = find_service(target.unit);
  if (!found) {
    result.nothing = fmt::format("systemd knows no {}", target.unit);
  } else if (found->main <= 0) {
    result.nothing = fmt::format("{} does not run, or has no main process", target.unit);
  } else if (service_of(own_pid()) == found->unit) {
    result.nothing = fmt::format("{} is graced's own unit", target.unit);
  } else {
    result.process = found->main;
  }
  return result;
}

ServerSearch search_process(const TakeTarget& target) {
  ServerSearch result;
  if (identity_of(target.pid)) {
    result.process = target.pid;
    return result;
  }
  result.nothing = fmt::format("there is no process {}", target.pid);
  if (target.pid <= UINT16_MAX) result.nothing += fmt::format(" (an address would be tcp:{})", target.pid);
  return result;
}

}  // namespace

ServerSearch search_server(const TakeTarget& target) {
  ServerSearch result;
  switch (target.kind) {
    case TakeTarget::Kind::process:
      result = search_process(target);
      break;
    case TakeTarget::Kind::unit:
      result = search_unit(target);
      break;
    case TakeTarget::Kind::address:
      result = search_address(target);
      break;
  }
  if (!result.process || !is_of_graced(*result.process)) return result;
  const std::string line = fmt::format("{} is graced's already", text_of_process(*result.process));
  result.process.reset();
  if (target.kind == TakeTarget::Kind::process) {
    result.in_the_way.push_back(line);
  } else {
    result.nothing = line;  // so that the option may stay where it is
  }
  return result;
}

}  // namespace graced
