// graced-exporter: signals first, then sockets, then everything else in threads until a signal ends it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "exporter/event_source.h"
#include "exporter/exporter_options.h"
#include "exporter/http_server.h"
#include "exporter/looker.h"
#include "linux/base/duplicate.h"
#include "linux/manager/inherited_sockets.h"
#include "linux/manager/service_manager.h"
#include "linux/self/standard_descriptors.h"
#include "linux/sockets/listener.h"

namespace graced {
namespace {

constexpr rlim_t descriptors = 4096;  // for all connections, and a question to each instance

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

sigset_t block_ending_signals() {
  sigset_t ending;
  ::sigemptyset(&ending);
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT}) ::sigaddset(&ending, signo);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return ending;
}

void allow_more_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, descriptors));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<std::shared_ptr<Listener>> listeners(const ListenSpec& spec) {
  Inherited passed = inherited_sockets(
      {.pid = variable("LISTEN_PID"), .fds = variable("LISTEN_FDS"), .names = variable("LISTEN_FDNAMES")});
  return passed.sockets.empty() ? open_listeners(spec) : std::move(passed.sockets);
}

int run(const ExporterOptions& options) {
  const sigset_t ending = block_ending_signals();
  allow_more_descriptors();
  const auto opened = listeners(options.listen);
  std::vector<Fd> sockets;
  std::string where;
  for (const auto& listener : opened) {
    sockets.push_back(duplicate(listener->fd()));
    where += (where.empty() ? "" : ", ") + listener->address();
  }
  Looker looker{control_places(), options.controls, options.time_limit, options.show_secrets};
  EventSource events{control_places(), options.controls, options.show_secrets};
  HttpServer server{[&looker] { return looker.look(); }, events};
  server.serve(std::move(sockets));
  fmt::print(stderr, "graced-exporter: listening on {}\n", where);
  ServiceManager manager{
      {.notify_socket = variable("NOTIFY_SOCKET").value_or(""), .watchdog_usec = {}, .watchdog_pid = {}}};
  manager.send(fmt::format("READY=1\nSTATUS=listening on {}", where));
  int signo = 0;
  ::sigwait(&ending, &signo);
  manager.send("STOPPING=1");
  return 0;
}

int main(int argc, char** argv) {
  try {
    open_standard_descriptors();
    const ExporterOptions options = parse_exporter_options({argv + 1, argv + argc});
    if (!options.text) return run(options);
    fmt::print("{}", *options.text);
    return 0;
  } catch (const std::invalid_argument& e) {
    fmt::print(stderr, "graced-exporter: {}, see graced-exporter --help\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "graced-exporter: {}\n", e.what());
    return 1;
  }
}

}  // namespace
}  // namespace graced

int main(int argc, char** argv) {
  return graced::main(argc, argv);
}
