// Names of unix sockets, at their limits.
#include "linux/base/unix_address.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

using namespace graced;

namespace {

std::string name_of(const UnixAddress& address) {
  return std::string(unix_name(address.get(), address.length));
}

}  // namespace

TEST_CASE("a path of a unix socket keeps its letters, and one that is too long is none") {
  CHECK(name_of(unix_address("/run/a.sock").value()) == "/run/a.sock");
  const std::string longest(longest_unix_path, 'x');
  CHECK(name_of(unix_address(longest).value()) == longest);
  errno = 0;
  CHECK(!unix_address(longest + "x"));
  CHECK(errno == ENAMETOOLONG);
}

TEST_CASE("an abstract name begins with a NUL, and has all bytes that it was given") {
  const std::string name = std::string("@a\0b", 4);
  CHECK(name_of(unix_address(name).value()) == std::string("\0a\0b", 4));
  const std::string longest = "@" + std::string(longest_unix_path, 'x');
  CHECK(name_of(unix_address(longest).value()).size() == longest.size());
  CHECK(!unix_address(longest + "x"));
  CHECK(name_of(unix_path_address("@file").value()) == "@file");
}

TEST_CASE("a socket without a name has none") {
  const UnixAddress none;
  CHECK(unix_name(none.get(), sizeof(sa_family_t)).empty());
}
