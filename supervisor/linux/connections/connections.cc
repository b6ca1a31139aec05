// Nothing may go unseen on its way from a handshake to a descriptor of the worker. So whatever is to prove
// that nothing is left looks in the order in which a connection moves: half-open handshakes, accept
// queues, descriptors, and then what the kernel says of these.
//
// The kernel's list takes it a walk through a table of all connections of the machine, 20 ms where
// there is much memory; a descriptor takes some microseconds. So a few are asked one by one, and many
// are looked up in the list.
#include "linux/connections/connections.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <system_error>

#include "linux/base/socket_option.h"
#include "linux/base/sys_error.h"
#include "linux/connections/connection_state.h"
#include "linux/connections/end_reading.h"

namespace graced {
namespace {

// The states of TCP that concern a worker; the later ones of a closing are the kernel's.
constexpr unsigned established_bit = 1U << 1;
constexpr unsigned left_by_client = 1U << 8;     // CLOSE_WAIT
constexpr unsigned leaving = 1U << 4 | 1U << 5;  // FIN_WAIT1, FIN_WAIT2: of a client that has said all

constexpr Duration first_pause = 20ms;
constexpr Duration longest_pause = 1s;
constexpr int share_of_processor = 64;  // one in so many: 1.6 %

constexpr Duration longest_closing = 50ms;  // in one call: other workers have to be looked at, too

constexpr unsigned few_sockets = 500;  // sockets

// What graced itself has run on a processor.
Duration time_used() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

std::optional<SocketList> socket_list_if_any() {
  try {
    return SocketList();
  } catch (const std::system_error&) { return std::nullopt; }
}

ConnectionWatch::State::State(pid_t top, const std::vector<int>& sockets,
                              const std::optional<std::string>& cgroup_directory, bool handshakes_move)
    : tops{top}, listeners(sockets) {
  try {
    if (tcp_list && !listeners.places().empty() && !handshakes_move)
      handshakes.remember(*list, listeners.places());
  } catch (const std::system_error&) { tcp_list = false; }
  try {
    if (unix_list && listeners.any_unix()) list->each_unix_connection([](const UnixSeen&) {});
  } catch (const std::system_error&) { unix_list = false; }

  struct stat s {};
  if (tcp_list && cgroup_directory && ::stat(cgroup_directory->c_str(), &s) == 0 &&
      listeners.all_made_in(s.st_ino, *list))
    cgroup = s.st_ino;
}

Connections ConnectionWatch::State::on_the_way() {
  Connections c;
  if (tcp_list) c.half_open = handshakes.left(*list, listeners.places());
  c.queued = listeners.queued(unix_list ? &*list : nullptr);
  return c;
}

void ConnectionWatch::State::add(Connections& c, ino_t inode, const TcpActivity& seen) {
  if (own.contains(inode) || !counted.insert(inode).second) return;
  ActivityHistory& history = histories.try_emplace(inode, seen).first->second;
  const TcpActivity activity = history.judge(seen);
  c.quiet = std::min(c.quiet.value_or(infinity), activity.quiet);
  if (activity.activity == Activity::idle) {
    ++c.idle;
  } else {
    ++c.busy;
  }
  if (activity.activity != Activity::busy) quiet.push_back({inode, activity});
}

void ConnectionWatch::State::add_unix(Connections& c, ino_t inode) {
  counted.insert(inode);
  ++c.unix_connections;
}

void ConnectionWatch::State::add_clients(Connections& c, const std::vector<Accepted>& all,
                                         const OwnEnds& ends) {
  for (const Accepted& a : all) {
    if (ends.have(a.local, a.peer)) {
      own.insert(a.inode);
    } else {
      add(c, a.inode, a.activity);
    }
  }
}

// Both families: to a socket of both an IPv4 one may be connected, and the other way round.
OwnEnds ConnectionWatch::State::own_ends_from_list(const std::optional<std::uint64_t>& within) {
  const TcpPlaces there{{IPPROTO_TCP}, {AF_INET, AF_INET6}, listeners.places().ports};
  OwnEnds ends;
  list->each_tcp_to(there, {established_bit | left_by_client | leaving, within, false}, [&](const TcpSeen& s) {
    if (within || open.contains(s.inode)) ends.add(s.local, s.peer);
  });
  return ends;
}

void ConnectionWatch::State::count_tcp_from_list(By way, Connections& c) {
  const auto within = way == By::cgroup ? cgroup : std::nullopt;
  std::vector<Accepted> perhaps_own;
  list->each_tcp(listeners.places(), {established_bit | left_by_client, within, true}, [&](const TcpSeen& s) {
    if (s.inode == 0 || (!within && !open.contains(s.inode)) ||
        !listeners.have_accepted({AF_INET, s.local, {}}))
      return;
    const TcpActivity untold{Activity::busy, Duration::zero()};
    const TcpActivity activity =
        s.info ? activity_of(s.counts, *s.info, listeners.acknowledge_at_once()) : untold;
    if (!is_known(s.inode) && OwnEnds::possible(s.local, s.peer)) {
      perhaps_own.push_back({s.inode, s.local, s.peer, activity});
    } else {
      add(c, s.inode, activity);
    }
  });
  if (!perhaps_own.empty()) add_clients(c, perhaps_own, own_ends_from_list(within));
}

void ConnectionWatch::State::count_unix_from_list(Connections& c) {
  list->each_unix_connection([&](const UnixSeen& s) {
    if (open.contains(s.inode) && !open.contains(s.peer) && listeners.have_accepted({AF_UNIX, {}, s.name}))
      add_unix(c, s.inode);
  });
}

// Without a list nobody tells whose the other end of a unix connection is: it counts as a client's.
void ConnectionWatch::State::count_by_asking(Connections& c, bool tcp, bool unix_too) {
  SocketTaker taker;
  std::vector<Accepted> perhaps_own;
  OwnEnds ends;
  for (const auto& [inode, place] : open) {
    const Fd fd = taker.take(inode, place);
    if (!fd || socket_option(fd.get(), SOL_SOCKET, SO_ACCEPTCONN) != 0) continue;
    const SocketName name = socket_name(fd.get());
    if (name.family == AF_UNIX) {
      if (unix_too && listeners.have_accepted(name)) add_unix(c, inode);
      continue;
    }
    if (!tcp) continue;
    const SocketName peer = is_known(inode) ? SocketName{} : peer_name(fd.get());
    if (!listeners.have_accepted(name)) {
      if (listeners.have_accepted(peer)) ends.add(name.endpoint, peer.endpoint);
      continue;
    }
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size) < 0) continue;
    if (((1U << info.tcpi_state) & (established_bit | left_by_client)) == 0) continue;
    const TcpActivity activity = activity_of(fd.get(), listeners.acknowledge_at_once());
    if (peer.family != 0 && OwnEnds::possible(name.endpoint, peer.endpoint)) {
      perhaps_own.push_back({inode, name.endpoint, peer.endpoint, activity});
    } else {
      add(c, inode, activity);
    }
  }
  add_clients(c, perhaps_own, ends);
}

void ConnectionWatch::State::count(By way, Connections& c) {
  quiet.clear();
  counted.clear();
  looked_at = std::chrono::steady_clock::now();
  const bool from_list = way != By::descriptor && tcp_list;
  if (from_list && !listeners.places().empty()) count_tcp_from_list(way, c);
  if (listeners.any_unix() && unix_list) count_unix_from_list(c);
  if (!from_list || (listeners.any_unix() && !unix_list)) count_by_asking(c, !from_list, !unix_list);
}

ConnectionWatch::State::By ConnectionWatch::State::best_way() const {
  if (!tcp_list || !(many || forbidden)) return By::descriptor;
  return cgroup && !listeners.any_unix() ? By::cgroup : By::inode;
}

// And the way that is best with what was found there.
ConnectionWatch::State::By ConnectionWatch::State::read_descriptors_for(By way) {
  try {
    read_descriptors();
  } catch (const std::system_error&) {
    forbidden = true;
    if (best_way() != By::cgroup) throw;
    return By::cgroup;
  }
  many = open.size() > few_sockets;
  return way == By::descriptor ? best_way() : way;
}

Connections ConnectionWatch::State::look() {
  const Duration before = time_used();
  By way = best_way();
  Connections c = on_the_way();
  bool read_now = way == By::descriptor || (way == By::inode && more_may_come);
  if (read_now) way = read_descriptors_for(way);
  try {
    count(way, c);
  } catch (const std::system_error&) {
    if (way != By::descriptor || !tcp_list) throw;
    forbidden = true;
    c = on_the_way();
    count(way = best_way(), c);
  }
  if (c.done() && way == By::inode && !read_now) {
    c = on_the_way();
    read_descriptors();
    count(way, c);
  }
  more_may_come = c.queued + c.half_open > 0;
  many = c.busy + c.idle + c.unix_connections > few_sockets;
  ++looks;
  cost = time_used() - before;
  return c;
}

// Where the worker has it as last read, or else as read now, once.
Fd ConnectionWatch::State::taken(ino_t inode, SocketTaker& taker, bool& descriptors_are_new) {
  for (;;) {
    const auto place = open.find(inode);
    Fd fd = place == open.end() ? Fd() : taker.take(inode, place->second);
    if (fd || descriptors_are_new) return fd;
    read_descriptors();
    descriptors_are_new = true;
  }
}

unsigned ConnectionWatch::State::close_idle(Duration drain_idle) {
  if (looks == 0) look();
  const Instant begin = std::chrono::steady_clock::now();
  const Duration since = begin - looked_at;
  SocketTaker taker;
  OrderlyEnds ends;
  bool descriptors_are_new = false;
  unsigned closed = 0;
  more_to_close = false;
  for (const Quiet& q : quiet) {
    if (ended.contains(q.inode) || !is_idle_for(drain_idle, q.activity, since)) continue;
    if (std::chrono::steady_clock::now() - begin > longest_closing) {
      more_to_close = true;
      break;
    }
    Fd fd = taken(q.inode, taker, descriptors_are_new);
    if (!fd) continue;
    // What has come since the look is seen here, and leaves the connection alone.
    const auto still_idle = [&](int connection) {
      const TcpActivity now = activity_of(connection, listeners.acknowledge_at_once());
      return is_idle_for(drain_idle, histories.at(q.inode).judge(now));
    };
    if (!ends.end(std::move(fd), still_idle)) continue;
    ended.insert(q.inode);
    ++closed;
  }
  return closed;
}

unsigned ConnectionWatch::State::close_all() {
  if (looks == 0) look();
  SocketTaker taker;
  bool descriptors_are_new = false;
  unsigned closed = 0;
  for (const ino_t inode : counted) {
    if (ended.contains(inode)) continue;
    Fd fd = taken(inode, taker, descriptors_are_new);
    if (!fd || !end_reading(std::move(fd))) continue;
    ended.insert(inode);
    ++closed;
  }
  return closed;
}

ConnectionWatch::ConnectionWatch(pid_t worker, const std::vector<int>& listening,
                                 const std::optional<std::string>& cgroup, bool handshakes_move)
    : state_(std::make_unique<State>(worker, listening, cgroup, handshakes_move)) {}

ConnectionWatch::~ConnectionWatch() = default;

void ConnectionWatch::follow(const std::vector<pid_t>& tops) {
  state_->tops = tops;
}

Connections ConnectionWatch::look() {
  return state_->look();
}

unsigned ConnectionWatch::close_idle(Duration drain_idle) {
  return state_->close_idle(drain_idle);
}

unsigned ConnectionWatch::close_all() {
  return state_->close_all();
}

int ConnectionWatch::descriptor() const {
  return state_->list ? state_->list->fd() : -1;
}

Duration ConnectionWatch::pause() const {
  if (state_->more_to_close) return first_pause;
  const unsigned doublings = std::min(std::max(state_->looks, 1U) - 1, 16U);
  const Duration next = std::min(first_pause * (1U << doublings), longest_pause);
  return std::max(next, state_->cost * share_of_processor);
}

}  // namespace graced
