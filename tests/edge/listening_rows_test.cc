// What listens in this network, on the real kernel.
#include "linux/sockets/listening_rows.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "loopback.h"

namespace graced {
namespace {

TEST_CASE("what listens is among those that listen, of each family, and a connection to it is not") {
  for (const Family family : {Family::ipv4, Family::ipv6, Family::dual}) {
    Loopback place(family);
    const Fd listener = place.listen();
    const Fd client = place.connect();
    const Fd accepted = accept_from(listener);
    REQUIRE(accepted);
    const std::vector<InternetRow> rows = listening_tcp();
    const auto is_there = [&](const Fd& fd) {
      return std::ranges::any_of(rows, [&](const InternetRow& row) { return row.inode == inode_of(fd); });
    };
    CHECK(is_there(listener));
    CHECK_FALSE(is_there(client));
    CHECK_FALSE(is_there(accepted));
    CHECK(std::ranges::all_of(rows, &InternetRow::listens));
  }
}

}  // namespace
}  // namespace graced
