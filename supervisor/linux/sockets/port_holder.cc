// The kernel names the inode of a socket, /proc/PID/fd who has it open.
#include "linux/sockets/port_holder.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/printable.h"
#include "linux/base/fd.h"
#include "linux/base/socket_name.h"
#include "linux/proc/net_table.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/process.h"
#include "linux/proc/socket_holders.h"
#include "linux/sockets/listening_rows.h"

namespace graced {
namespace {

using Rows = std::vector<InternetRow>;

// The one that is most in our way: one that listens before a mere connection, the very same address before one
// that covers it.
std::optional<InternetRow> find_in_our_way(const Rows& rows, const Endpoint& wanted) {
  std::optional<InternetRow> best;
  int best_rank = -1;
  for (const InternetRow& row : rows) {
    if (row.inode == 0 || (!covers(row.bound, wanted) && !covers(wanted, row.bound))) continue;
    const int rank = (row.listens ? 2 : 0) + (row.bound == wanted ? 1 : 0);
    if (rank <= best_rank) continue;
    best_rank = rank;
    best = row;
  }
  return best;
}

std::string text_of(const Endpoint& bound) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (bound.is_v4()) {
    ::inet_ntop(AF_INET, &bound.ip[12], text.data(), text.size());
    return fmt::format("{}:{}", text.data(), bound.port);
  }
  ::inet_ntop(AF_INET6, bound.ip.data(), text.data(), text.size());
  return fmt::format("[{}]:{}", text.data(), bound.port);
}

std::optional<PortHolder> holder_of(ino_t socket) {
  const auto holders = all_holders_of({socket});
  for (const auto& [pid, has] : holders) {
    if (!holders.contains(parent_of(pid).value_or(0))) return PortHolder{pid, printable(name_of(pid))};
  }
  return std::nullopt;
}

std::optional<PortHolder> holder_of_row(const std::optional<InternetRow>& row, const Endpoint& wanted) {
  auto holder = row ? holder_of(row->inode) : std::nullopt;
  if (holder && row->bound != wanted) holder->other_address = text_of(row->bound);
  return holder;
}

}  // namespace

std::string PortHolder::text() const {
  if (pid == ::getpid()) return "graced itself";
  return fmt::format("{} (PID {})", command, pid);
}

std::optional<PortHolder> holder_of_tcp(const sockaddr* address) {
  const auto wanted = endpoint_of(address);
  if (!wanted) return std::nullopt;
  auto row = find_in_our_way(listening_tcp(), *wanted);
  if (!row) row = find_in_our_way(internet_rows({"tcp", "tcp6"}), *wanted);  // a connection
  return holder_of_row(row, *wanted);
}

std::optional<PortHolder> holder_of_udp(const sockaddr* address) {
  const auto wanted = endpoint_of(address);
  if (!wanted) return std::nullopt;
  return holder_of_row(find_in_our_way(internet_rows({"udp", "udp6"}), *wanted), *wanted);
}

std::optional<PortHolder> holder_of_unix(std::string_view path) {
  const std::string text = contents_of("/proc/self/net/unix").value_or("");
  for (const UnixRow& row : parse_unix_table(text)) {
    if ((row.connected && !row.datagrams) || row.path.empty() || row.path != path) continue;
    if (auto holder = holder_of(row.inode)) return holder;
  }
  return std::nullopt;
}

std::optional<PortHolder> holder_behind(const sockaddr* address, socklen_t length, int type) {
  const Fd probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe || ::connect(probe.get(), address, length) < 0) return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
    return std::nullopt;
  return PortHolder{peer.pid, printable(name_of(peer.pid))};
}

}  // namespace graced
