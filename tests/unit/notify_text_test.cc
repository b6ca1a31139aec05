// What workers say over NOTIFY_SOCKET.
#include "core/notify_text.h"

#include <doctest/doctest.h>

using namespace graced;
using Words = std::vector<std::string>;

TEST_CASE("what a worker says is heard, and nothing of it is called ignored") {
  const NotifyText said = parse_notify_text("READY=1\nSTATUS=warm\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=5000000\n");
  CHECK(said.ready);
  CHECK(said.stopping);
  CHECK(said.status == "warm");
  CHECK(said.extend_timeout == 5s);
  CHECK(said.ignored.empty());
}

TEST_CASE("words that graced does not use are known, each once, without values that may be secrets") {
  CHECK(parse_notify_text(
            "WATCHDOG_USEC=20000000\nFDSTORE=1\nFDNAME=db\nWATCHDOG=trigger\nFDSTORE=1\nTOKEN=secret")
            .ignored == Words{"WATCHDOG_USEC=", "FDSTORE=1", "WATCHDOG=trigger", "TOKEN="});
}

TEST_CASE("a word with a value that graced does not understand is ignored, and that is known") {
  const NotifyText said = parse_notify_text("READY=yes\nREADY\nSTOPPING=true\nEXTEND_TIMEOUT_USEC=5s");
  CHECK_FALSE(said.ready);
  CHECK_FALSE(said.extend_timeout.has_value());
  CHECK(said.ignored == Words{"READY=yes", "READY", "STOPPING=true", "EXTEND_TIMEOUT_USEC="});
}

TEST_CASE("words whose loss changes nothing are not called ignored") {
  CHECK(parse_notify_text("MAINPID=12\nERRNO=2\nBUSERROR=a.b\nEXIT_STATUS=3\nNOTIFYACCESS=all\nRELOADING=1\n"
                          "MONOTONIC_USEC=7\nBARRIER=1\nX_SHOP_COLOUR=red\n\n")
            .ignored.empty());
}

TEST_CASE("whatever a worker makes up, few of its words are kept, short and fit to be shown") {
  std::string nonsense =
      "\x1b[31m=1\n" + std::string(100000, 'K') + "=1\nREADY=" + std::string(100000, '1') + "\n";
  for (int i = 0; i < 1000; ++i) nonsense += "WORD" + std::to_string(i) + "=1\n";
  const Words ignored = parse_notify_text(nonsense).ignored;
  REQUIRE(ignored.size() == 16);
  CHECK(ignored[0] == "\\x1b[31m=");
  CHECK(ignored[1] == std::string(32, 'K') + "=");
  CHECK(ignored[2] == "READY=" + std::string(16, '1'));
}
