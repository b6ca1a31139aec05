// LISTEN_FDS and its relatives, right and wrong, in a process of its own each.
#include "linux/manager/inherited_sockets.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "in_child.h"
#include "temp_directory.h"

using namespace graced;

namespace {

std::string own_pid() {
  return std::to_string(::getpid());
}

// Puts a listening socket where exec would have left it.
void place(const std::string& address, int number) {
  Fd elsewhere;
  {
    const auto opened = open_listeners(parse_listen_spec(address));
    elsewhere.reset(::fcntl(opened.front()->fd(), F_DUPFD_CLOEXEC, 60));
  }
  ::dup2(elsewhere.get(), number);
}

std::string listing(const std::vector<std::shared_ptr<Listener>>& sockets) {
  std::string text;
  for (const auto& socket : sockets) {
    const bool closed_on_exec = (::fcntl(socket->fd(), F_GETFD) & FD_CLOEXEC) != 0;
    text += fmt::format("{}={}{}{};", socket->name(), socket->address().substr(0, socket->address().rfind(':')),
                        socket->fd() >= 5 ? "" : " at a passed number", closed_on_exec ? "" : " not CLOEXEC");
  }
  return text;
}

// The error for these variables in a process that was given two sockets.
std::string taken(const std::string& pid, const std::string& fds, const std::optional<std::string>& names) {
  return in_child([&] {
    ::close_range(3, 100, 0);
    place("127.0.0.1:0", 3);
    place("udp:127.0.0.1:0", 4);
    const auto sockets = inherited_sockets({pid == "own" ? own_pid() : pid, fds, names}).sockets;
    if (!sockets.empty() && (::fcntl(3, F_GETFD) >= 0 || ::fcntl(4, F_GETFD) >= 0))
      return std::string("not moved");
    return listing(sockets);
  });
}

}  // namespace

TEST_CASE("sockets from a service manager keep their names and get numbers of their own") {
  CHECK(taken("own", "2", "web:dns") == "web=tcp 127.0.0.1;dns=udp 127.0.0.1;");
  CHECK(taken("own", "2", std::nullopt) == "fd3=tcp 127.0.0.1;fd4=udp 127.0.0.1;");
  CHECK(taken("own", "2", ":dns") == "fd3=tcp 127.0.0.1;dns=udp 127.0.0.1;");
}

TEST_CASE("what is meant for another process is ignored") {
  CHECK(taken("1", "2", "web:dns") == "");
  CHECK(inherited_sockets({std::nullopt, "2", std::nullopt}).sockets.empty());
  CHECK(inherited_sockets({own_pid(), std::nullopt, std::nullopt}).sockets.empty());
  CHECK(inherited_sockets({own_pid(), "0", std::nullopt}).sockets.empty());
}

TEST_CASE("what was announced to another process is told of") {
  CHECK(announced_to_another({"1", "2", {}}, 7).find("LISTEN_PID names PID 1, and graced is PID 7") !=
        std::string::npos);
  CHECK(announced_to_another({"7", "2", {}}, 7).empty());
  CHECK(announced_to_another({"1", "0", {}}, 7).empty());
  CHECK(announced_to_another({}, 7).empty());
}

TEST_CASE("sockets announced but not there are an error that names the first") {
  CHECK(taken("own", "3", std::nullopt) == "LISTEN_FDS=3 announces descriptor 5, but it is not open");
}

TEST_CASE("malformed variables are an error that shows them") {
  const std::string why = " is not a number (whoever starts graced must set it as sd_listen_fds(3) says)";
  CHECK(taken("own", "two", std::nullopt) == "LISTEN_FDS=two" + why);
  CHECK(taken("own", "-1", std::nullopt) == "LISTEN_FDS=-1" + why);
  CHECK(taken("own", "", std::nullopt) == "LISTEN_FDS=" + why);
  CHECK(taken("12x", "2", std::nullopt) == "LISTEN_PID=12x" + why);
  CHECK(taken("own", "2", "a:b:c") ==
        "LISTEN_FDNAMES=a:b:c has 3 names, but LISTEN_FDS=2 announces fewer sockets");
}

TEST_CASE("something else than a socket is an error, and nothing is taken") {
  CHECK(in_child([] {
          ::close_range(3, 100, 0);
          place("127.0.0.1:0", 3);
          ::dup2(::open("/dev/null", O_RDONLY), 4);
          try {
            inherited_sockets({own_pid(), "2", std::nullopt});
          } catch (const std::runtime_error& error) {
            return fmt::format("{}; {}", error.what(), ::fcntl(3, F_GETFD) >= 0 ? "still there" : "gone");
          }
          return std::string("no error");
        }) == "LISTEN_FDS=2: descriptor 4 is not a socket; still there");
}

TEST_CASE("the file of an inherited unix socket is left to whoever made it") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  const auto original = open_listeners(parse_listen_spec("unix:" + path));
  CHECK(in_child([&] {
          if (::dup2(original.front()->fd(), 3) == 3) ::fcntl(3, F_SETFD, 0);
          return listing(inherited_sockets({own_pid(), "1", "a"}).sockets).substr(0, 7);
        }) == "a=unix ");
  CHECK(std::filesystem::exists(path));
}
