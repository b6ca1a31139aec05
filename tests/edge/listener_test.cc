// Addresses bound for real: what the kernel says of the sockets, and what is said when it refuses.
#include "linux/sockets/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>

#include "adoption_story.h"
#include "as_root.h"
#include "forbid_family.h"
#include "in_child.h"
#include "linux/base/duplicate.h"
#include "linux/base/inode.h"
#include "linux/steering/steering.h"
#include "opening.h"

using namespace graced;

namespace {

unsigned backlog_of(const Listener& listener) {
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(listener.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_sacked;  // of a listening socket: its backlog
}

std::string port_of(const Listener& listener) {
  return listener.address().substr(listener.address().rfind(':') + 1);
}

// 0, or the errno of connecting from here.
int connect_to_port(const std::string& port) {
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 ? 0 : errno;
}

}  // namespace

TEST_CASE("a port alone listens for IPv4 and IPv6 with one socket, closed on exec and blocking") {
  const auto listener = open_one("0");
  CHECK(listener->kind() == AddressKind::tcp);
  CHECK(listener->made_by_graced());
  CHECK(connect_to_port(port_of(*listener)) == 0);
  CHECK((::fcntl(listener->fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(listener->fd(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK(option_of(*listener, SOL_SOCKET, SO_REUSEADDR) == 1);
  if (option_of(*listener, SOL_SOCKET, SO_DOMAIN) == AF_INET6) {
    CHECK(listener->address().starts_with("tcp [::]:"));
    CHECK(option_of(*listener, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
  } else {
    CHECK(listener->address().starts_with("tcp 0.0.0.0:"));
  }
}

TEST_CASE("tcp4 and tcp6 keep to their family") {
  CHECK(open_one("tcp4:0")->address().starts_with("tcp 0.0.0.0:"));
  CHECK(open_one("0.0.0.0:0")->address().starts_with("tcp 0.0.0.0:"));
  CHECK(open_one("udp:127.0.0.1:0")->address().starts_with("udp 127.0.0.1:"));
  if (!std::filesystem::exists("/proc/sys/net/ipv6")) {
    MESSAGE("the rest is skipped: this kernel has no IPv6");
    return;
  }
  CHECK(option_of(*open_one("tcp6:0"), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
  CHECK(option_of(*open_one("0,ipv6-only=yes"), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
  CHECK(option_of(*open_one("[::]:0"), IPPROTO_IPV6, IPV6_V6ONLY) == 0);
}

TEST_CASE("a host name listens on each of its addresses, all under one name") {
  const auto listeners = open_listeners(parse_listen_spec("localhost:0,name=web"));
  REQUIRE(!listeners.empty());
  bool v4 = false;
  for (const auto& listener : listeners) {
    CHECK(listener->name() == "web");
    v4 = v4 || listener->address().starts_with("tcp 127.0.0.1:");
  }
  CHECK(v4);
}

TEST_CASE("where IPv6 is off a port alone listens for IPv4, and only who insists on IPv6 hears of it") {
  const auto without_ipv6 = [](const std::string& text) {
    return in_child([&] {
      if (!forbid_family(AF_INET6)) return std::string("no seccomp");
      std::string opened;
      for (const auto& listener : open_listeners(parse_listen_spec(text))) {
        opened += listener->address().substr(0, listener->address().rfind(':')) + ";";
      }
      return opened;
    });
  };
  CHECK(without_ipv6("0") == "tcp 0.0.0.0;");
  CHECK(without_ipv6("localhost:0") == "tcp 127.0.0.1;");
  const std::string why =
      ": Address family not supported by protocol (IPv6 is off on this machine; give an IPv4 address)";
  CHECK(without_ipv6("tcp6:0") == "socket for tcp6:0" + why);
  CHECK(without_ipv6("0,ipv6-only=yes") == "socket for 0" + why);
  CHECK(without_ipv6("[::1]:0") == "socket for [::1]:0" + why);
}

TEST_CASE("an unknown host is named") {
  const auto why = error_of_opening("no-such-host.invalid:80");
  CHECK(why.starts_with("resolve no-such-host.invalid: "));
  CHECK(why.ends_with("(for the address no-such-host.invalid:80)"));
}

TEST_CASE("a port in use says who has it, once") {
  const auto first = open_one("127.0.0.1:0");
  const std::string address = "127.0.0.1:" + port_of(*first);
  CHECK(error_of_opening(address) ==
        "bind " + address + ": Address already in use by graced itself (is it listed twice?)");

  const std::string other = in_child([&] { return error_of_opening(address); });
  CHECK(other == "bind " + address + ": Address already in use by " + own_name() + " (PID " +
                     std::to_string(::getpid()) + ")");
}

TEST_CASE("an address that overlaps another one of graced's names that, and is not called listed twice") {
  const auto first = open_one("[::]:0");
  const std::string port = port_of(*first);
  for (const std::string address : {"127.0.0.1:", "0.0.0.0:", "[::1]:"}) {
    CHECK(
        error_of_opening(address + port) ==
        "bind " + address + port + ": Address already in use by graced itself, which listens on [::]:" + port +
            ": these two overlap (leave one of them out; to change one for the other, stop graced and start it "
            "again)");
  }
}

TEST_CASE("an address that is to be switched is one group's from the beginning, and no stranger shares it") {
  if (!as_root("to steer by eBPF")) return;
  const auto first = open_listeners(parse_listen_spec("127.0.0.1:0"), {.share = true}).front();
  ReuseportGroup group(SteeringMethod::ebpf);
  group.joined(first->fd(), inode_of(first->fd()));
  group.direct_to(std::array{first->fd()});
  CHECK(error_of([&] {
          open_listeners(parse_listen_spec("127.0.0.1:" + port_of(*first)), {.share = true});
        }).ends_with("by graced itself (is it listed twice?)"));
}

TEST_CASE("an address that was hidden by an earlier graced, which had given it up, lets clients in again") {
  if (!as_root("to show a socket again")) return;
  const auto given_up = open_one("127.0.0.1:0");
  given_up->refuse();
  CHECK(connect_to_port(port_of(*given_up)) == ECONNREFUSED);
  const auto restored = Listener::restored(given_up->spec(), duplicate(given_up->fd()), {});
  REQUIRE(restored);
  CHECK(connect_to_port(port_of(*given_up)) == 0);
}

TEST_CASE("a udp port is not shared with a stranger") {
  const auto first = open_one("udp:127.0.0.1:0");
  const std::string address = "udp:127.0.0.1:" + port_of(*first);
  CHECK(error_of_opening(address) ==
        "bind " + address + ": Address already in use by graced itself (is it listed twice?)");
}

TEST_CASE("an address of another machine says so") {
  CHECK(error_of_opening("192.0.2.1:80") ==
        "bind 192.0.2.1:80: Cannot assign requested address (no interface of this machine has it, see: ip "
        "address; "
        "or add free-bind=yes)");
  CHECK(open_one("192.0.2.1:0,free-bind=yes")->address().starts_with("tcp 192.0.2.1:"));
}

TEST_CASE("a port below 1024 without permission says what is missing") {
  int first_free = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_free;
  if (first_free <= 1) {
    MESSAGE("skipped: this machine lets everybody have every port");
    return;
  }
  const std::string why = in_child([&] {
    if (::geteuid() == 0 && (::setgid(65534) < 0 || ::setuid(65534) < 0))
      return std::string("cannot become nobody");
    return error_of_opening("127.0.0.1:1");
  });
  CHECK(why == "bind 127.0.0.1:1: Permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE)");
}

TEST_CASE("too few descriptors say how many there are and how to get more") {
  const std::string why = in_child([] {
    const rlimit few{4, 4};
    ::setrlimit(RLIMIT_NOFILE, &few);
    while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) continue;
    return error_of_opening("127.0.0.1:0");
  });
  CHECK(why ==
        "socket for 127.0.0.1:0: Too many open files (4 descriptors are allowed; raise it with LimitNOFILE= in "
        "the "
        "unit, or ulimit -n)");
}

TEST_CASE("options reach the kernel") {
  const auto listener = open_one(
      "127.0.0.1:0,no-delay=yes,keep-alive=yes,defer-accept=5s,fast-open=7,receive-buffer=64K,send-buffer=32K,"
      "free-bind=yes,nonblock=yes,backlog=3");
  CHECK(option_of(*listener, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option_of(*listener, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option_of(*listener, IPPROTO_TCP, TCP_DEFER_ACCEPT) >= 5);
  CHECK(option_of(*listener, IPPROTO_TCP, TCP_FASTOPEN) == 7);
  CHECK(option_of(*listener, SOL_SOCKET, SO_RCVBUF) == 2 * 64 * 1024);
  CHECK(option_of(*listener, SOL_SOCKET, SO_SNDBUF) == 2 * 32 * 1024);
  CHECK(option_of(*listener, IPPROTO_IP, IP_FREEBIND) == 1);
  CHECK((::fcntl(listener->fd(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK(backlog_of(*listener) == 3);
}

TEST_CASE("an option the kernel refuses is named") {
  CHECK(error_of_opening("127.0.0.1:0,device=no-such-if0").starts_with("127.0.0.1:0: option device: "));
}

TEST_CASE("options that can change do so on the open socket, and back to their defaults") {
  const auto listener = open_one("127.0.0.1:0,keep-alive=yes,backlog=3");
  const auto options =
      parse_listen_spec("127.0.0.1:0,no-delay=yes,backlog=9,receive-buffer=64K,name=web").options;
  apply_options(*listener, options);
  CHECK(option_of(*listener, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option_of(*listener, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(option_of(*listener, SOL_SOCKET, SO_RCVBUF) == 2 * 64 * 1024);
  CHECK(listener->spec().options == options);
  CHECK(listener->name() == "web");
  CHECK(backlog_of(*listener) == 9);
}

TEST_CASE("options that cannot change are named, and nothing changes") {
  const auto listener = open_one("127.0.0.1:0");
  const auto before = listener->spec().options;
  const auto change = [&](const std::string& options) {
    return error_of([&] { apply_options(*listener, parse_listen_spec("127.0.0.1:0," + options).options); });
  };
  CHECK(
      change("no-delay=yes,nonblock=yes") ==
      "127.0.0.1:0: option nonblock cannot be changed while the socket is open (stop and start graced, or use "
      "another address)");
  CHECK(change("no-delay=yes,free-bind=yes").starts_with("127.0.0.1:0: option free-bind cannot be changed"));
  CHECK(change("no-delay=yes,device=lo").starts_with("127.0.0.1:0: option device cannot be changed"));
  CHECK(option_of(*listener, IPPROTO_TCP, TCP_NODELAY) == 0);
  CHECK(listener->spec().options == before);

  const auto small = open_one("127.0.0.1:0,receive-buffer=64K");
  CHECK(error_of([&] { check_options(*small, {}); }).starts_with("127.0.0.1:0: option receive-buffer cannot"));
  CHECK(error_of([&] { check_options(*small, small->spec().options); }) == "no error");
}

TEST_CASE("fd:N takes an inherited descriptor to another number, once") {
  const auto original = open_one("127.0.0.1:0");
  const int given = ::fcntl(original->fd(), F_DUPFD, 0);  // without CLOEXEC, as after exec
  const std::string text = "fd:" + std::to_string(given);
  const auto listener = open_one(text + ",name=web,backlog=5,nonblock=yes");
  CHECK(listener->fd() != given);
  CHECK((::fcntl(listener->fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(::fcntl(given, F_GETFD) == -1);
  CHECK(listener->kind() == AddressKind::tcp);
  CHECK(listener->address() == original->address());
  CHECK(listener->name() == "web");
  CHECK(!listener->made_by_graced());
  CHECK(backlog_of(*listener) == 5);
  CHECK((::fcntl(original->fd(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK(error_of_opening(text) == text + ": descriptor " + std::to_string(given) +
                                      " was not given to graced (whoever starts it must leave it open, without "
                                      "close-on-exec)");
}

TEST_CASE("fd:N does not take graced's own descriptors, files or connections") {
  const auto own = open_one("127.0.0.1:0");
  const std::string number = std::to_string(own->fd());
  CHECK(error_of_opening("fd:" + number)
            .starts_with("fd:" + number + ": descriptor " + number + " was not given"));

  const Fd file(::open("/dev/null", O_RDONLY));
  const std::string file_number = std::to_string(file.get());
  CHECK(error_of_opening("fd:" + file_number) ==
        "fd:" + file_number + ": descriptor " + file_number + " is not a socket");

  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  const Fd there(pair[0]);
  const std::string connection = "fd:" + std::to_string(pair[1]);
  CHECK(error_of_opening(connection).starts_with(connection + ": the socket does not listen for connections"));
}

TEST_CASE("standard input can be the socket and is not left free for others") {
  const std::string said = in_child([] {
    const auto original = open_one("127.0.0.1:0");
    if (::dup2(original->fd(), 0) < 0) return std::string("dup2 failed");
    const auto listener = open_one("fd:0");
    struct stat file {};
    if (::fstat(0, &file) < 0) return std::string("descriptor 0 is closed");
    return std::string(S_ISCHR(file.st_mode) && listener->fd() > 2 ? "ok" : "no");
  });
  CHECK(said == "ok");
}
