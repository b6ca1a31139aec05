// The table's source: the versions of Debian 12, each started below graced as its package has it, and then with
// these words.
#include "daemon/foreground_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/executable_name.h"

namespace graced {

namespace {

struct KnownServer {
  std::string_view executable;  // without the digits of a version
  std::string_view words;
};

constexpr auto known_servers = std::to_array<KnownServer>({
    {"nginx", "nginx -g 'daemon off;'"},
    {"apache", "apache2 -D FOREGROUND"},
    {"squid", "squid --foreground"},
    {"varnishd", "varnishd -F"},
    {"php-fpm", "php-fpm --nodaemonize"},
    {"haproxy", "haproxy -db"},
    {"redis-server", "redis-server --daemonize no"},
    {"dovecot", "dovecot -F"},
    {"rsync", "rsync --daemon --no-detach"},
});

}  // namespace

std::string foreground_advice(std::string_view program) {
  const auto known = std::ranges::find(known_servers, executable_name(program), &KnownServer::executable);
  return fmt::format("a server must stay in the foreground{}{}", known == known_servers.end() ? "" : ": ",
                     known == known_servers.end() ? std::string_view() : known->words);
}

}  // namespace graced
