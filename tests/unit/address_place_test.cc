#include "observe/address_place.h"

#include <doctest/doctest.h>

#include <string>

using namespace graced;
using Kind = AddressPlace::Kind;

namespace {

Endpoint ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, port};
}

}  // namespace

TEST_CASE("an address of a report is what the kernel's lists call it") {
  CHECK(read_address_place("tcp 127.0.0.1:8080") == AddressPlace{Kind::tcp, ipv4(127, 0, 0, 1, 8080), ""});
  CHECK(read_address_place("udp 0.0.0.0:53") == AddressPlace{Kind::udp, ipv4(0, 0, 0, 0, 53), ""});
  CHECK(read_address_place("tcp [::]:443") == AddressPlace{Kind::tcp, {{}, 443}, ""});
  CHECK(read_address_place("unix /run/a b.sock") == AddressPlace{Kind::unix_stream, {}, "/run/a b.sock"});
  CHECK(read_address_place("unix-dgram /run/log") == AddressPlace{Kind::unix_datagram, {}, "/run/log"});
  CHECK(read_address_place("unix-seqpacket @x") == AddressPlace{Kind::unix_stream, {}, std::string("\0x", 2)});
  CHECK(read_address_place("unix @x")->is_abstract());
}

TEST_CASE("an interface is no part of an address in the kernel's lists") {
  const auto link_local = read_address_place("tcp [fe80::1%eth0]:80");
  REQUIRE(link_local);
  CHECK(link_local->endpoint.ip[0] == 0xfe);
  CHECK(link_local->endpoint.ip[15] == 1);
  CHECK(link_local->endpoint.port == 80);
}

TEST_CASE("what is no address of a known kind is none") {
  for (const char* text :
       {"", "tcp", "tcp ", "tcp 8080", "tcp :80", "tcp localhost:80", "tcp 127.0.0.1:70000", "tcp [::1:80",
        "tcp [::1]:", "tcp []:1", "tcp [%]:1", "unix ", "vsock 3:1", "socket of address family 40"})
    CHECK_MESSAGE(!read_address_place(text), text);
}
