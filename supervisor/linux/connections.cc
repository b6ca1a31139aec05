// See connections.h.
//
// Nothing may go unseen on its way from a handshake to a descriptor of the worker. So whatever is to
// prove that nothing is left looks in the order in which a connection moves: half-open handshakes, accept
// queues, descriptors, and then what the kernel says of these.
#include "linux/connections.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <set>
#include <unordered_set>

#include "linux/open_sockets.h"
#include "linux/socket_list.h"
#include "linux/sys_error.h"
#include "linux/tcp_activity.h"

namespace graced {
namespace {

// The states of the kernel's TCP that concern a worker; the later ones of a closing are the kernel's.
constexpr unsigned established = 1U << 1;
constexpr unsigned half_open = 1U << 3;
constexpr unsigned left_by_client = 1U << 8;  // CLOSE_WAIT
constexpr unsigned listens = 1U << 10;

constexpr Duration first_pause = 20ms;
constexpr Duration longest_pause = 1s;
constexpr int share_of_processor = 100;  // one in so many
constexpr int patience_if_unsure = 10;   // times that of a connection that is surely idle

struct SocketName {
  int family = AF_UNSPEC;  // AF_INET, AF_INET6, AF_UNIX
  Endpoint endpoint;
  std::string path;  // all of sun_path
};

SocketName name_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  SocketName name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) < 0) return name;
  name.family = storage.ss_family;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    name.endpoint.ip[10] = name.endpoint.ip[11] = 0xff;
    std::memcpy(&name.endpoint.ip[12], &v4.sin_addr, 4);
    name.endpoint.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    std::memcpy(name.endpoint.ip.data(), &v6.sin6_addr, 16);
    name.endpoint.port = ntohs(v6.sin6_port);
  } else if (storage.ss_family == AF_UNIX && length > offsetof(sockaddr_un, sun_path)) {
    constexpr std::size_t before = offsetof(sockaddr_un, sun_path);
    name.path.assign(reinterpret_cast<const char*>(&storage) + before, length - before);
  }
  return name;
}

bool is_wildcard(const Endpoint& e) {
  const auto after_mark = e.ip.begin() + 12;
  const bool v4 = std::all_of(e.ip.begin(), e.ip.begin() + 10, [](auto b) { return b == 0; }) &&
                  e.ip[10] == 0xff && e.ip[11] == 0xff;
  return std::all_of(v4 ? after_mark : e.ip.begin(), e.ip.end(), [](auto b) { return b == 0; });
}

int number_option(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

ino_t inode_of(int fd) {
  struct stat s {};
  return ::fstat(fd, &s) == 0 ? s.st_ino : 0;
}

std::optional<unsigned> tcp_queue(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return std::nullopt;
  return info.tcpi_unacked;  // of a listening socket: its queue
}

unsigned queue_by_poll(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0 ? 1 : 0;
}

// What graced itself has run on a processor.
Duration time_used() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

std::optional<SocketList> socket_list_if_any() {
  try {
    return SocketList();
  } catch (const std::system_error&) { return std::nullopt; }
}

}  // namespace

std::optional<unsigned> accept_queue(int listening_fd) {
  if (number_option(listening_fd, SO_DOMAIN) != AF_UNIX) return tcp_queue(listening_fd);
  try {
    return SocketList().unix_queue(inode_of(listening_fd));
  } catch (const std::system_error&) { return std::nullopt; }
}

struct ConnectionWatch::State {
  struct Listening {
    int fd;
    ino_t inode;
    SocketName name;
    bool is_unix() const { return name.family == AF_UNIX; }
  };
  struct Handshake {
    Endpoint local;
    Endpoint peer;
    friend auto operator<=>(const Handshake&, const Handshake&) = default;
  };
  struct Seen {
    ino_t inode;
    TcpActivity activity;
  };

  State(pid_t top, const std::vector<Socket>& sockets, const std::optional<std::string>& cgroup_directory);

  Connections look();
  unsigned close_idle(Duration at_least);

  // What is on its way to the worker.
  Connections on_the_way();
  std::set<Handshake> handshakes();
  unsigned queue_of(const Listening& l);

  // What has arrived.
  void count(Connections& c);
  void count_tcp_from_list(Connections& c);
  void count_unix_from_list(Connections& c);
  void count_by_taking(Connections& c, bool tcp, bool unix_too);
  void add(Connections& c, ino_t inode, const TcpActivity& activity);

  void read_descriptors() {
    open = sockets_of_tree(worker);
    was_read = true;
  }
  bool descriptors_matter() const { return !cgroup || any_unix() || !tcp_list; }
  bool any_unix() const { return std::ranges::any_of(listening, &Listening::is_unix); }
  bool any_tcp() const { return !ports.empty(); }
  bool is_ours(const Endpoint& local) const;
  bool is_ours(const std::string& path) const;
  bool made_in(std::uint64_t id);
  void ask_tcp(unsigned states, std::optional<std::uint64_t> within, bool with_info,
               const std::function<void(const TcpSeen&)>& seen);

  pid_t worker;
  std::vector<Listening> listening;
  std::set<std::uint16_t> ports;
  std::set<int> families;
  std::optional<SocketList> list = socket_list_if_any();
  bool tcp_list = list.has_value();  // does the kernel list them?
  bool unix_list = list.has_value();
  std::optional<std::uint64_t> cgroup;
  std::set<Handshake> begun_before;

  OpenSockets open;
  bool was_read = false;         // open has been filled
  bool more_may_arrive = false;  // at the last look something was, and may have arrived since
  std::vector<Seen> closable;    // idle or perhaps idle at the last look
  Instant seen_at;
  std::unordered_set<ino_t> ended;  // by close_idle(), and perhaps not yet by the worker
  unsigned looks = 0;
  Duration cost = Duration::zero();  // of the last look
};

ConnectionWatch::State::State(pid_t top, const std::vector<Socket>& sockets,
                              const std::optional<std::string>& cgroup_directory)
    : worker(top) {
  for (const Socket& s : sockets) {
    if (number_option(s.fd, SO_ACCEPTCONN) != 1) continue;  // a datagram socket has no connections
    listening.push_back({s.fd, inode_of(s.fd), name_of(s.fd)});
    const SocketName& name = listening.back().name;
    if (name.family == AF_UNIX) continue;
    ports.insert(name.endpoint.port);
    families.insert(name.family);
  }
  try {
    if (tcp_list && any_tcp()) begun_before = handshakes();
  } catch (const std::system_error&) { tcp_list = false; }
  try {
    if (unix_list && any_unix()) list->each_unix_connection([](const UnixSeen&) {});
  } catch (const std::system_error&) { unix_list = false; }

  struct stat s {};
  if (tcp_list && any_tcp() && cgroup_directory && ::stat(cgroup_directory->c_str(), &s) == 0 &&
      made_in(s.st_ino)) {
    cgroup = s.st_ino;
  }
}

// Accepted connections are in the cgroup of their listener, so if all listeners are, these are too.
bool ConnectionWatch::State::made_in(std::uint64_t id) {
  std::unordered_set<ino_t> inside;
  try {
    ask_tcp(listens, id, false, [&](const TcpSeen& s) { inside.insert(s.inode); });
  } catch (const std::system_error&) { return false; }  // before Linux 5.9
  return std::ranges::all_of(listening,
                             [&](const Listening& l) { return l.is_unix() || inside.contains(l.inode); });
}

void ConnectionWatch::State::ask_tcp(unsigned states, std::optional<std::uint64_t> within, bool with_info,
                                     const std::function<void(const TcpSeen&)>& seen) {
  for (const int family : families) list->each_tcp({family, states, ports, within, with_info}, seen);
}

bool ConnectionWatch::State::is_ours(const Endpoint& local) const {
  return std::ranges::any_of(listening, [&](const Listening& l) {
    return !l.is_unix() && l.name.endpoint.port == local.port &&
           (l.name.endpoint.ip == local.ip || is_wildcard(l.name.endpoint));
  });
}

bool ConnectionWatch::State::is_ours(const std::string& path) const {
  return std::ranges::any_of(listening, [&](const Listening& l) { return l.is_unix() && l.name.path == path; });
}

std::set<ConnectionWatch::State::Handshake> ConnectionWatch::State::handshakes() {
  std::set<Handshake> found;
  ask_tcp(half_open, std::nullopt, false, [&](const TcpSeen& s) { found.insert({s.local, s.peer}); });
  return found;
}

unsigned ConnectionWatch::State::queue_of(const Listening& l) {
  if (!l.is_unix()) return tcp_queue(l.fd).value_or(0);
  if (!unix_list) return queue_by_poll(l.fd);
  return list->unix_queue(l.inode).value_or(0);
}

Connections ConnectionWatch::State::on_the_way() {
  Connections c;
  if (!begun_before.empty()) {
    const std::set<Handshake> now = handshakes();
    std::erase_if(begun_before, [&](const Handshake& h) { return !now.contains(h); });
  }
  c.half_open = static_cast<unsigned>(begun_before.size());
  for (const Listening& l : listening) c.queued += queue_of(l);
  return c;
}

void ConnectionWatch::State::add(Connections& c, ino_t inode, const TcpActivity& activity) {
  c.quiet = std::min(c.quiet.value_or(infinity), activity.quiet);
  if (activity.activity == Activity::idle) {
    ++c.idle;
  } else {
    ++c.busy;
  }
  if (activity.activity != Activity::busy) closable.push_back({inode, activity});
}

void ConnectionWatch::State::count_tcp_from_list(Connections& c) {
  ask_tcp(established | left_by_client, cgroup, true, [&](const TcpSeen& s) {
    if (s.inode == 0 || !is_ours(s.local) || (!cgroup && !open.contains(s.inode))) return;
    const TcpActivity unknown{Activity::busy, Duration::zero()};
    add(c, s.inode, s.info ? activity_of(s.state, s.unread, s.unacknowledged, *s.info) : unknown);
  });
}

void ConnectionWatch::State::count_unix_from_list(Connections& c) {
  list->each_unix_connection([&](const UnixSeen& s) {
    if (open.contains(s.inode) && is_ours(s.name)) ++c.unix_connections;
  });
}

// Where the kernel has no list for us: each one by a descriptor.
void ConnectionWatch::State::count_by_taking(Connections& c, bool tcp, bool unix_too) {
  SocketTaker taker;
  for (const auto& [inode, place] : open) {
    const Fd taken = taker.take(inode, place);
    if (!taken || number_option(taken.get(), SO_ACCEPTCONN) != 0) continue;
    const SocketName name = name_of(taken.get());
    if (name.family == AF_UNIX) {
      if (unix_too && is_ours(name.path)) ++c.unix_connections;
      continue;
    }
    if (!tcp || !is_ours(name.endpoint)) continue;
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(taken.get(), IPPROTO_TCP, TCP_INFO, &info, &size) < 0) continue;
    if (((1U << info.tcpi_state) & (established | left_by_client)) == 0) continue;
    add(c, inode, activity_of(taken.get()));
  }
}

void ConnectionWatch::State::count(Connections& c) {
  closable.clear();
  seen_at = std::chrono::steady_clock::now();
  if (tcp_list && any_tcp()) count_tcp_from_list(c);
  if (unix_list && any_unix()) count_unix_from_list(c);
  const bool take_tcp = !tcp_list && any_tcp();
  const bool take_unix = !unix_list && any_unix();
  if (take_tcp || take_unix) count_by_taking(c, take_tcp, take_unix);
}

Connections ConnectionWatch::State::look() {
  const Duration before = time_used();
  Connections c = on_the_way();
  bool fresh = !descriptors_matter();
  if (!fresh && (!was_read || more_may_arrive || !tcp_list)) {
    read_descriptors();
    fresh = true;
  }
  count(c);
  if (c.done() && !fresh) {
    c = on_the_way();
    read_descriptors();
    count(c);
  }
  more_may_arrive = c.queued + c.half_open > 0;
  ++looks;
  cost = time_used() - before;
  return c;
}

unsigned ConnectionWatch::State::close_idle(Duration at_least) {
  if (looks == 0) look();
  const auto enough = [&](const TcpActivity& a, Duration since) {
    if (a.activity == Activity::busy) return false;
    const Duration quiet = a.quiet + since;
    return a.activity == Activity::idle ? quiet >= at_least : quiet / patience_if_unsure >= at_least;
  };

  const Duration since = std::chrono::steady_clock::now() - seen_at;
  bool read_now = false;
  unsigned closed = 0;
  SocketTaker taker;
  for (const Seen& s : closable) {
    if (!enough(s.activity, since) || ended.contains(s.inode)) continue;
    auto place = open.find(s.inode);
    Fd taken = place == open.end() ? Fd() : taker.take(s.inode, place->second);
    if (!taken && !read_now) {
      read_descriptors();
      read_now = true;
      place = open.find(s.inode);
      if (place != open.end()) taken = taker.take(s.inode, place->second);
    }
    // What has come since the look is seen here, and leaves the connection alone.
    if (!taken || !enough(activity_of(taken.get()), Duration::zero())) continue;
    if (::shutdown(taken.get(), SHUT_RD) < 0) continue;
    ended.insert(s.inode);
    ++closed;
  }
  return closed;
}

ConnectionWatch::ConnectionWatch(pid_t worker, std::vector<Socket> listening, std::optional<std::string> cgroup)
    : state_(std::make_unique<State>(worker, listening, cgroup)) {}

ConnectionWatch::~ConnectionWatch() = default;

Connections ConnectionWatch::look() {
  return state_->look();
}

unsigned ConnectionWatch::close_idle(Duration at_least) {
  return state_->close_idle(at_least);
}

Duration ConnectionWatch::pause() const {
  const unsigned doublings = std::min(std::max(state_->looks, 1U) - 1, 16U);
  const Duration next = std::min(first_pause * (1U << doublings), longest_pause);
  return std::max(next, state_->cost * share_of_processor);
}

}  // namespace graced
