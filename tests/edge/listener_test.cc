#include "linux/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "in_child.h"
#include "temp_directory.h"

using namespace graced;

namespace {

template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const std::system_error& error) { return error.what(); }
  return "no error";
}

std::string error_of_opening(const std::string& text) {
  return error_of([&] { open_listeners(parse_listen_spec(text)); });
}

std::shared_ptr<Listener> open_one(const std::string& text) {
  auto opened = open_listeners(parse_listen_spec(text));
  REQUIRE(opened.size() == 1);
  return opened.front();
}

int option_of(const Listener& listener, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(listener.fd(), level, name, &value, &size);
  return value;
}

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

sockaddr_un unix_name(const std::string& path) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  std::memcpy(where.sun_path, path.data(), std::min(path.size(), sizeof where.sun_path - 1));
  return where;
}

int connect_to_path(const std::string& path, int type = SOCK_STREAM) {
  const Fd client(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const sockaddr_un where = unix_name(path);
  return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 ? 0 : errno;
}

// A foreign socket file; stale once the Fd is gone.
Fd bind_foreign(const std::string& path, int type) {
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const sockaddr_un where = unix_name(path);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
  return fd;
}

unsigned mode_of(const std::string& path) {
  struct stat file {};
  ::lstat(path.c_str(), &file);
  return file.st_mode & 07777;
}

const std::string own_name = [] {
  std::string name;
  std::getline(std::ifstream("/proc/self/comm"), name);
  return name;
}();

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
  if (!std::filesystem::exists("/proc/sys/net/ipv6")) return;
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
  CHECK(other == "bind " + address + ": Address already in use by " + own_name + " (PID " +
                     std::to_string(::getpid()) + ")");
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
  if (first_free <= 1) return;  // a machine that lets everybody have them
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
}

TEST_CASE("a change that fails half-way is taken back") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  const auto listener = open_one("unix:" + path + ",mode=0600");
  auto options = parse_listen_spec("unix:" + path + ",mode=0666").options;
  options.keep_alive = true;
  options.user = "no-such-user";
  CHECK(error_of([&] { apply_options(*listener, options); }) ==
        "unix:" + path + ": user 'no-such-user' does not exist");
  CHECK(option_of(*listener, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(mode_of(path) == 0600);
  CHECK(!listener->spec().options.user);
}

TEST_CASE("a unix socket file has the mode asked for, whatever the umask, and goes with its listener") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  const mode_t before = ::umask(0027);
  {
    const auto listener = open_one("unix:" + path + ",mode=0622");
    CHECK(listener->address() == "unix " + path);
    CHECK(listener->kind() == AddressKind::unix_stream);
    CHECK(listener->name() == "a.sock");
    CHECK(mode_of(path) == 0622);
    CHECK(connect_to_path(path) == 0);
    apply_options(*listener, {});
    CHECK(mode_of(path) == 0666);
  }
  CHECK(::umask(before) == 0027);
  CHECK(scratch.empty());
}

TEST_CASE("a unix socket file can belong to another user and group") {
  if (::geteuid() != 0) return;
  const TempDirectory scratch;
  const auto listener = open_one("unix:" + (scratch / "a.sock") + ",mode=0660,user=4711,group=4712");
  struct stat file {};
  REQUIRE(::lstat((scratch / "a.sock").c_str(), &file) == 0);
  CHECK(file.st_uid == 4711);
  CHECK(file.st_gid == 4712);
  CHECK((file.st_mode & 07777) == 0660);
}

TEST_CASE("an unknown owner is named, and no file is left") {
  const TempDirectory scratch;
  const std::string address = "unix:" + (scratch / "a.sock");
  CHECK(error_of_opening(address + ",user=no-such-user") == address + ": user 'no-such-user' does not exist");
  CHECK(error_of_opening(address + ",group=no-such-group") ==
        address + ": group 'no-such-group' does not exist");
  CHECK(scratch.empty());
}

TEST_CASE("unix sockets of every type, abstract ones too") {
  const TempDirectory scratch;
  CHECK(open_one("unix-dgram:" + (scratch / "d"))->address() == "unix-dgram " + (scratch / "d"));
  CHECK(open_one("unix-seqpacket:" + (scratch / "s"))->address() == "unix-seqpacket " + (scratch / "s"));
  CHECK(scratch.empty());

  const std::string name = "unix:@graced-test-" + std::to_string(::getpid());
  const auto abstract = open_one(name);
  CHECK(abstract->address() == "unix @graced-test-" + std::to_string(::getpid()));
  CHECK(error_of_opening(name) == "bind " + name + ": address in use by graced itself (is it listed twice?)");
}

TEST_CASE("a stale unix socket file is replaced") {
  const TempDirectory scratch;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const std::string path = scratch / "stale.sock";
    bind_foreign(path, type);
    REQUIRE(std::filesystem::exists(path));
    {
      const auto listener = open_one("unix:" + path);
      CHECK(connect_to_path(path) == 0);
    }
    CHECK(scratch.empty());
  }
}

TEST_CASE("a unix socket in use is left alone, also one that is bound but does not listen yet") {
  const TempDirectory scratch;
  const std::string path = scratch / "live.sock";
  const std::string expected =
      "bind unix:" + path + ": address in use by " + own_name + " (PID " + std::to_string(::getpid()) + ")";
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const Fd foreign = bind_foreign(path, type);
    CHECK(in_child([&] { return error_of_opening("unix:" + path); }) == expected);
    if (type != SOCK_DGRAM) REQUIRE(::listen(foreign.get(), 1) == 0);
    CHECK(in_child([&] { return error_of_opening("unix-dgram:" + path); }) ==
          "bind unix-dgram:" + expected.substr(std::strlen("bind unix:")));
    CHECK(connect_to_path(path, type) == 0);
    std::filesystem::remove(path);
  }
  CHECK(scratch.empty());
}

TEST_CASE("asking whether a unix socket is in use does not disturb its server") {
  const TempDirectory scratch;
  const std::string path = scratch / "live.sock";
  const Fd foreign = bind_foreign(path, SOCK_STREAM);
  REQUIRE(::listen(foreign.get(), 1) == 0);
  CHECK(error_of_opening("unix:" + path) ==
        "bind unix:" + path + ": address in use by graced itself (is it listed twice?)");
  REQUIRE(::fcntl(foreign.get(), F_SETFL, O_NONBLOCK) == 0);
  CHECK(::accept4(foreign.get(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
}

TEST_CASE("of two that replace one stale socket at the same time exactly one gets it") {
  const TempDirectory scratch;
  const std::string path = scratch / "contested.sock";
  for (int round = 0; round < 50; ++round) {
    bind_foreign(path, SOCK_STREAM);
    // The child holds its listener until both have tried.
    int go[2], done[2], release[2];
    for (int* ends : {go, done, release}) REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      char byte = 0;
      ::close(go[1]);
      ::close(release[1]);
      (void)!::read(go[0], &byte, 1);
      std::vector<std::shared_ptr<Listener>> won;
      try {
        won = open_listeners(parse_listen_spec("unix:" + path));
      } catch (const std::system_error&) {}
      byte = won.empty() ? 'n' : 'y';
      (void)!::write(done[1], &byte, 1);
      (void)!::read(release[0], &byte, 1);
      won.clear();
      ::_exit(0);
    }
    ::close(go[1]);
    std::shared_ptr<Listener> won;
    try {
      won = open_listeners(parse_listen_spec("unix:" + path)).front();
    } catch (const std::system_error&) {}
    char other = 0;
    REQUIRE(::read(done[0], &other, 1) == 1);
    CHECK((won != nullptr) == (other == 'n'));
    CHECK(connect_to_path(path) == 0);
    won.reset();
    ::close(release[1]);
    ::waitpid(child, nullptr, 0);
    for (const int fd : {go[0], done[0], done[1], release[0]}) ::close(fd);
    REQUIRE(scratch.empty());
  }
}

TEST_CASE("what is not a socket is never removed") {
  const TempDirectory scratch;
  const std::string path = scratch / "file";
  std::ofstream(path) << "precious";
  const std::string expected =
      "unix:" + path + ": " + path + " exists and is not a socket (remove it, or choose another path)";
  CHECK(error_of_opening("unix:" + path) == expected);
  CHECK(std::filesystem::file_size(path) == 8);

  std::filesystem::create_symlink("nowhere", scratch / "link");
  CHECK(error_of_opening("unix:" + (scratch / "link")).find("is not a socket") != std::string::npos);
  CHECK(std::filesystem::is_symlink(scratch / "link"));
}

TEST_CASE("a directory that is missing is named") {
  const TempDirectory scratch;
  const std::string path = scratch / "missing/a.sock";
  CHECK(error_of_opening("unix:" + path) ==
        "bind unix:" + path + ": directory " + (scratch / "missing") +
            " does not exist (create it, or let the service manager, as with "
            "RuntimeDirectory=)");
}

TEST_CASE("a socket file that took the place of ours is not removed") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  auto listener = open_one("unix:" + path);
  std::filesystem::remove(path);
  const Fd foreign = bind_foreign(path, SOCK_STREAM);
  listener.reset();
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("the socket file is removed also when the working directory has changed") {
  const TempDirectory scratch;
  const std::string said = in_child([&] {
    if (::chdir(scratch.path.c_str()) < 0) return "chdir failed";
    auto listener = open_one("unix:relative.sock");
    const bool there = std::filesystem::exists(scratch / "relative.sock");
    if (::chdir("/") < 0) return "chdir failed";
    listener.reset();
    return there ? "was there" : "was not there";
  });
  CHECK(said == "was there");
  CHECK(scratch.empty());
}

TEST_CASE("fd:N takes an inherited descriptor to another number, once") {
  const TempDirectory scratch;
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
