// /proc/net names the inode of a socket, /proc/PID/fd who has it open.
#include "linux/port_holder.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/printable.h"
#include "linux/fd.h"
#include "linux/proc_file.h"
#include "linux/process.h"

namespace graced {
namespace {

using Inode = std::uint64_t;
using Ip = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d

constexpr Ip any_v6{};
constexpr Ip any_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

struct Endpoint {
  Ip ip;
  std::uint16_t port;
};

bool is_v4(const Ip& ip) {
  return std::equal(ip.begin(), ip.begin() + 12, any_v4.begin());
}

bool overlap(const Ip& a, const Ip& b) {
  if (a == b || a == any_v6 || b == any_v6) return true;
  return is_v4(a) && is_v4(b) && (a == any_v4 || b == any_v4);
}

std::optional<Endpoint> endpoint(const sockaddr* address) {
  Endpoint found{any_v4, 0};
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::memcpy(&found.ip[12], &v4.sin_addr, 4);
    found.port = ntohs(v4.sin_port);
    return found;
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    std::memcpy(found.ip.data(), &v6.sin6_addr, 16);
    found.port = ntohs(v6.sin6_port);
    return found;
  }
  return std::nullopt;
}

template <class Number>
bool read_number(std::string_view text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

// "0100007F:1F90": the address in 32-bit words as they lie in memory.
std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  Endpoint found{any_v4, 0};
  std::size_t at = colon == 8 ? 12 : 0;
  for (std::size_t digits = 0; digits < colon; digits += 8, at += 4) {
    std::uint32_t word = 0;
    if (!read_number(text.substr(digits, 8), word, 16)) return std::nullopt;
    std::memcpy(&found.ip[at], &word, 4);
  }
  if (!read_number(text.substr(colon + 1), found.port, 16)) return std::nullopt;
  return found;
}

// The next word of a line of /proc/net, which is cut off; empty at the end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

// The lines of a table of /proc/net without its heading; `text` must outlive them.
std::vector<std::string_view> rows_of(std::string_view text) {
  std::vector<std::string_view> rows;
  while (!text.empty()) {
    const auto row = text.substr(0, text.find('\n'));
    rows.push_back(row);
    text.remove_prefix(std::min(row.size() + 1, text.size()));
  }
  if (!rows.empty()) rows.erase(rows.begin());
  return rows;
}

// The socket in /proc/net/{tcp,udp}{,6} that is most in our way: one that listens before a mere
// connection, the very same address before one that covers it.
std::optional<Inode> find_in_our_way(const std::vector<const char*>& tables, const Endpoint& wanted) {
  std::optional<Inode> best;
  int best_rank = -1;
  for (const char* const table : tables) {
    const std::string text = contents_of(table).value_or("");
    for (std::string_view row : rows_of(text)) {
      // "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …"
      next_word(row);
      const auto there = parse_endpoint(next_word(row));
      next_word(row);
      const auto state = next_word(row);
      for (int i = 0; i < 5; ++i) next_word(row);
      Inode inode = 0;
      if (!there || there->port != wanted.port || !overlap(there->ip, wanted.ip)) continue;
      if (!read_number(next_word(row), inode, 10) || inode == 0) continue;
      const bool listens = state == "0A" || state == "07";  // TCP_LISTEN; unconnected UDP
      const int rank = (listens ? 2 : 0) + (there->ip == wanted.ip ? 1 : 0);
      if (rank <= best_rank) continue;
      best_rank = rank;
      best = inode;
    }
  }
  return best;
}

bool has_open(pid_t pid, std::string_view wanted) {
  const std::string directory = fmt::format("/proc/{}/fd/", pid);
  return std::ranges::any_of(entries_of(directory), [&](const std::string& fd) {
    std::array<char, 64> target;
    const ssize_t length = ::readlink((directory + fd).c_str(), target.data(), target.size());
    return length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)) == wanted;
  });
}

std::optional<PortHolder> holder_of(Inode inode) {
  const std::string wanted = fmt::format("socket:[{}]", inode);
  std::vector<pid_t> holders;
  for (const std::string& entry : entries_of("/proc")) {
    pid_t pid = 0;
    if (read_number(entry, pid, 10) && has_open(pid, wanted)) holders.push_back(pid);
  }
  std::ranges::sort(holders);
  for (const pid_t pid : holders) {
    if (!std::ranges::binary_search(holders, parent_of(pid).value_or(0))) {
      return PortHolder{pid, printable(name_of(pid))};
    }
  }
  return std::nullopt;
}

std::optional<PortHolder> holder_of_ip(const std::vector<const char*>& tables, const sockaddr* address) {
  const auto wanted = endpoint(address);
  if (!wanted) return std::nullopt;
  const auto inode = find_in_our_way(tables, *wanted);
  return inode ? holder_of(*inode) : std::nullopt;
}

}  // namespace

std::string PortHolder::text() const {
  if (pid == ::getpid()) return "graced itself";
  return fmt::format("{} (PID {})", command, pid);
}

std::optional<PortHolder> holder_of_tcp(const sockaddr* address) {
  return holder_of_ip({"/proc/self/net/tcp", "/proc/self/net/tcp6"}, address);
}

std::optional<PortHolder> holder_of_udp(const sockaddr* address) {
  return holder_of_ip({"/proc/self/net/udp", "/proc/self/net/udp6"}, address);
}

std::optional<PortHolder> holder_of_unix(std::string_view path) {
  const std::string text = contents_of("/proc/self/net/unix").value_or("");
  for (std::string_view row : rows_of(text)) {
    // "Num RefCount Protocol Flags Type St Inode Path", where accepted connections have their listener's path.
    for (int i = 0; i < 4; ++i) next_word(row);
    const bool datagrams = next_word(row) == "0002";
    const bool connected = next_word(row) == "03";
    Inode inode = 0;
    if (!read_number(next_word(row), inode, 10) || (connected && !datagrams)) continue;
    if (row.empty() || row.substr(1) != path) continue;
    if (auto holder = holder_of(inode)) return holder;
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
