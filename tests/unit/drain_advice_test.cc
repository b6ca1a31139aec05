// What is known of servers by their names is told, and only where it helps.
#include "daemon/drain_advice.h"

#include <doctest/doctest.h>

namespace graced {

TEST_CASE("nginx that drains idle is known to finish on SIGQUIT") {
  CHECK(drain_advice("/usr/sbin/nginx", DrainRule::idle, "TERM") ==
        "nginx finishes on SIGQUIT: --drain signal --drain-signal QUIT lets it leave sooner");
  CHECK(drain_advice("nginx", DrainRule::idle, "QUIT") ==
        "nginx finishes on SIGQUIT: --drain signal lets it leave sooner");
}

TEST_CASE("a server that drops what it has on its signal has a better one") {
  CHECK(drain_advice("haproxy", DrainRule::signal, "TERM") ==
        "haproxy finishes on SIGUSR1, and drops what it has in flight on SIGTERM: --drain-signal USR1");
  CHECK_FALSE(drain_advice("haproxy", DrainRule::signal, "USR1"));
  CHECK_FALSE(drain_advice("haproxy", DrainRule::signal, "INT"));
}

TEST_CASE("a program is known whatever its version and place, and not by a part of its name") {
  CHECK(drain_advice("php-fpm8.2", DrainRule::idle, "TERM") ==
        "php-fpm finishes on SIGQUIT where process_control_timeout is set: --drain signal --drain-signal QUIT "
        "lets it leave sooner");
  CHECK(drain_advice("apache2", DrainRule::idle, "TERM")->find("SIGWINCH") != std::string::npos);
  for (const char* other :
       {"", "/", "2", "nginx-exporter", "my-nginx", "nginx.conf", "node", "/usr/bin/python3.11"}) {
    CAPTURE(other);
    CHECK_FALSE(drain_advice(other, DrainRule::idle, "TERM"));
  }
}

TEST_CASE("uwsgi never leaves on SIGTERM, unless it was told to") {
  for (const DrainRule rule : {DrainRule::idle, DrainRule::signal}) {
    CHECK(drain_advice("uwsgi-core", rule, "TERM")->find("die-on-term") != std::string::npos);
    CHECK_FALSE(drain_advice("uwsgi", rule, "TERM", {"uwsgi", "--master", "--die-on-term"}));
    CHECK_FALSE(drain_advice("uwsgi", rule, "TERM",
                             {"uwsgi", "--hook-master-start", "unix_signal:15 gracefully_kill_them_all"}));
    CHECK_FALSE(drain_advice("uwsgi", rule, "QUIT"));
  }
}

}  // namespace graced
