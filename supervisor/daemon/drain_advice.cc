// The table's source: the versions of Debian 12, each measured with requests of 3 s and 8 s in flight, idle
// connections and, where it has them, TLS, HTTP/2 and WebSocket ones, for SIGTERM (on which all of these drop
// the requests) and for the signal that its manual names. nginx 1.22, apache 2.4 (event), haproxy 2.6,
// lighttpd 1.4.69, unicorn 6.0, php-fpm 8.2, waitress 2.1, uwsgi 2.0.21.
#include "daemon/drain_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/executable_name.h"

namespace graced {

namespace {

struct Known {
  std::string_view executable;  // without the digits of a version
  std::string_view name;
  std::string_view signal;
  std::string_view where;  // a condition
};

constexpr auto table = std::to_array<Known>({
    {"nginx", "nginx", "QUIT", ""},
    {"apache", "apache", "WINCH", ""},
    {"httpd", "apache", "WINCH", ""},
    {"haproxy", "haproxy", "USR1", ""},
    {"lighttpd", "lighttpd", "INT", ""},
    {"unicorn", "unicorn", "QUIT", ""},
    {"unicorn_rails", "unicorn", "QUIT", ""},
    {"php-fpm", "php-fpm", "QUIT", " where process_control_timeout is set"},
    {"waitress-serve", "waitress", "INT", ", within 5s"},
});

std::optional<std::string> advice_for_uwsgi(std::string_view drain_signal,
                                            const std::vector<std::string>& words) {
  const bool cared_for = std::ranges::any_of(words, [](const std::string& word) {
    return word.find("die-on-term") != word.npos || word.find("unix_signal:15") != word.npos;
  });
  if (drain_signal != "TERM" || cared_for) return std::nullopt;
  return "uwsgi takes SIGTERM for a reload of its own and stays, unless die-on-term is set; with "
         "hook-master-start = "
         "unix_signal:15 gracefully_kill_them_all it finishes and leaves";
}

}  // namespace

std::optional<std::string> drain_advice(std::string_view program, DrainRule rule, std::string_view drain_signal,
                                        const std::vector<std::string>& words) {
  const std::string_view executable = executable_name(program);
  if (executable == "uwsgi" || executable == "uwsgi-core") return advice_for_uwsgi(drain_signal, words);
  const auto known = std::ranges::find(table, executable, &Known::executable);
  if (known == table.end()) return std::nullopt;

  const std::string finishes = fmt::format("{} finishes on SIG{}{}", known->name, known->signal, known->where);
  const std::string with =
      drain_signal == known->signal ? "" : fmt::format(" --drain-signal {}", known->signal);
  switch (rule) {
    case DrainRule::idle:
      return fmt::format("{}: --drain signal{} lets it leave sooner", finishes, with);
    case DrainRule::signal:
      if (drain_signal != "TERM") return std::nullopt;  // somebody has chosen
      return fmt::format("{}, and drops what it has in flight on SIGTERM:{}", finishes, with);
  }
  return std::nullopt;
}

}  // namespace graced
