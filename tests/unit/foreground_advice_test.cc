// What is said of a server that goes into the background.
#include "daemon/foreground_advice.h"

#include <doctest/doctest.h>

using namespace graced;

TEST_CASE("a server that goes into the background is told how to stay, a known one by its own words") {
  CHECK(foreground_advice("nginx") == "a server must stay in the foreground: nginx -g 'daemon off;'");
  CHECK(foreground_advice("php-fpm8.2") == "a server must stay in the foreground: php-fpm --nodaemonize");
  CHECK(foreground_advice("my-own") == "a server must stay in the foreground");
}
