// What --take may name.
#include "core/take_target.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace graced;

namespace {

std::string refusal(std::string_view text) {
  try {
    return "taken as " + parse_take_target(text).text();
  } catch (const std::invalid_argument& error) { return error.what(); }
}

}  // namespace

TEST_CASE("what is taken is a process, a unit or an address") {
  CHECK(parse_take_target("812") == TakeTarget{.pid = 812});
  CHECK(parse_take_target("nginx") == TakeTarget{.kind = TakeTarget::Kind::unit, .unit = "nginx.service"});
  CHECK(parse_take_target("nginx.service") == parse_take_target("nginx"));
  CHECK(parse_take_target("app@1").unit == "app@1.service");
  CHECK(parse_take_target("tcp:8080") == TakeTarget{.kind = TakeTarget::Kind::address, .port = 8080});
  CHECK(parse_take_target("tcp:*:8080") == parse_take_target("tcp:8080"));
  CHECK(parse_take_target("tcp:127.0.0.1:80").host == "127.0.0.1");
  CHECK(parse_take_target("tcp:[::1]:80").host == "::1");
}

TEST_CASE("what is taken reads back from its text") {
  for (const char* text : {"812", "nginx.service", "tcp:8080", "tcp:127.0.0.1:80", "tcp:[::1]:80"})
    CHECK(parse_take_target(text).text() == text);
}

TEST_CASE("what cannot be taken is refused with the way out") {
  CHECK(refusal("") == "it is empty: name a PID, a unit of systemd (nginx.service), tcp:PORT or tcp:HOST:PORT");
  CHECK(refusal("0") == "'0' is no PID");
  CHECK(refusal("99999999999") == "'99999999999' is no PID");
  CHECK(refusal("udp:53") ==
        "'udp:53': only TCP servers can be taken: name a PID, a unit of systemd (nginx.service), tcp:PORT or "
        "tcp:HOST:PORT");
  CHECK(refusal("nginx.socket") == "'nginx.socket' is no service: name the .service unit");
  CHECK(refusal("tcp:0") == "'tcp:0': name the port, 1 to 65535");
  CHECK(refusal("tcp:localhost:80") == "'tcp:localhost:80': 'localhost' is no IP address");
  CHECK(refusal("tcp:80,backlog=5") == "'tcp:80,backlog=5': an address to take has no options");
  CHECK(refusal("/run/app.sock") ==
        "'/run/app.sock' is not a PID, a unit of systemd (nginx.service), tcp:PORT or tcp:HOST:PORT");
}
