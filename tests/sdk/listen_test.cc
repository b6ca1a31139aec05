// Sockets bound for want of inherited ones.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "descriptor.h"
#include "edge/temp_directory.h"
#include "graced/child.hpp"

namespace child = graced::child;
using child::Kind;

namespace {

bool connects(const child::Listener& to) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(to.fd(), reinterpret_cast<sockaddr*>(&address), &length);
  int type = 0;
  socklen_t type_length = sizeof type;
  ::getsockopt(to.fd(), SOL_SOCKET, SO_TYPE, &type, &type_length);
  const Descriptor client(::socket(address.ss_family, type | SOCK_CLOEXEC, 0));
  return ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0;
}

}  // namespace

TEST_CASE("without sockets passed, each form of address is bound") {
  const TempDirectory directory;
  const auto bound = [](const std::string& address) {
    const child::Listener l = child::listen("x", address);
    CHECK_FALSE(l.inherited());
    CHECK(l.name() == "x");
    CHECK((l.family() == AF_UNIX) == (address.find("unix") == 0));
    CHECK((::fcntl(l.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(connects(l));
    const std::string at = l.address();
    return l.kind() == Kind::stream || l.kind() == Kind::datagram ? at.substr(0, at.rfind(':') + 1) : at;
  };
  CHECK(bound("127.0.0.1:0") == "127.0.0.1:");
  CHECK(bound("tcp:localhost:0") == "127.0.0.1:");
  CHECK(bound("udp:127.0.0.1:0") == "127.0.0.1:");
  for (const char* every : {"0", ":0", "*:0", "udp:0"}) {
    const std::string at = bound(every);
    CHECK((at == "[::]:" || at == "0.0.0.0:"));
  }
  CHECK(bound("unix-seqpacket:" + (directory / "packets")) == "unix:" + (directory / "packets"));
  CHECK(child::listen("x", "unix:" + (directory / "stream")).address() == "unix:" + (directory / "stream"));
  CHECK(child::listen("x", "unix-dgram:" + (directory / "words")).kind() == Kind::datagram);
  const std::string abstract = "unix:@graced-sdk-" + std::to_string(::getpid());
  CHECK(child::listen("x", abstract).address() == abstract);
}

TEST_CASE("an address that makes no sense is refused in one line") {
  const auto refusal = [](const std::string& address) -> std::string {
    try {
      return child::listen("x", address).address();
    } catch (const std::invalid_argument& e) { return e.what(); }
  };
  CHECK(refusal("") == "address '': port '' is not a number between 0 and 65535");
  CHECK(refusal("80800") == "address '80800': port '80800' is not a number between 0 and 65535");
  CHECK(refusal("127.0.0.1:+1") == "address '127.0.0.1:+1': port '+1' is not a number between 0 and 65535");
  CHECK(refusal("example.org:80") ==
        "address 'example.org:80': host 'example.org' is no IP address; write 127.0.0.1, [::1], localhost, or "
        "unix:/path");
  CHECK(refusal("::1:80").find("host '::1' is no IP address") != std::string::npos);
  CHECK(refusal("[]:80").find("host '[]' is no IP address") != std::string::npos);
  CHECK(refusal("unix:") == "address 'unix:': a path or @name must follow the colon");
  CHECK(refusal("unix:@") == "address 'unix:@': a path or @name must follow the colon");
  CHECK(refusal("unix:/" + std::string(200, 'x')).ends_with(": longer than 107 bytes"));
}

TEST_CASE("an address in use is named") {
  const child::Listener first = child::listen("x", "127.0.0.1:0");
  const std::string expected = "bind " + first.address() + ": Address already in use";
  CHECK_THROWS_WITH_AS(child::listen("x", first.address()), expected.c_str(), std::system_error);
}

TEST_CASE("a socket file that nobody listens on is replaced, one in use and one that is no socket are not") {
  const TempDirectory directory;
  const std::string address = "unix:" + (directory / "socket");
  (void)child::listen("x", address);  // its file outlives it
  REQUIRE(std::filesystem::exists(directory / "socket"));
  const child::Listener second = child::listen("x", address);
  CHECK(connects(second));
  CHECK_THROWS_AS(child::listen("x", address), std::system_error);
  CHECK(connects(second));

  std::filesystem::create_directory(directory / "other");
  CHECK_THROWS_AS(child::listen("x", "unix:" + (directory / "other")), std::system_error);
  CHECK(std::filesystem::exists(directory / "other"));
}

TEST_CASE("a listener closes its descriptor unless it was released") {
  int fd = -1;
  {
    child::Listener l = child::listen("x", "127.0.0.1:0");
    child::Listener moved(std::move(l));
    CHECK(l.fd() == -1);
    l = std::move(moved);
    fd = l.fd();
  }
  CHECK(::fcntl(fd, F_GETFD) == -1);
  const Descriptor mine(child::listen("x", "127.0.0.1:0").release());
  CHECK(::fcntl(mine.get(), F_GETFD) >= 0);
}
