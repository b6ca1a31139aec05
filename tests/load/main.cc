// graced-load: asks a server for the same thing many times, and counts every way it can go wrong.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "generator.h"
#include "linux/base/sys_error.h"

namespace {

// Readable once SIGTERM or SIGINT has come.
graced::Fd stop_signals() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
  graced::Fd fd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw graced::sys_error("signalfd");
  return fd;
}

void allow_all_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const std::vector<std::string>& args) {
  const auto options = load::read_options(args);
  if (!options) {
    fmt::print("{}", load::help_text);
    return 0;
  }
  allow_all_descriptors();
  load::Generator generator(*options, load::Target(options->target), stop_signals());
  generator.run();
  fmt::print("{}\n", generator.json());
  if (options->human) fmt::print(stderr, "{}\n", generator.human());
  return generator.tally().failures() == 0 && generator.tally().answers() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const load::UsageError& e) {
    fmt::print(stderr, "graced-load: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "graced-load: {}\n", e.what());
    return 1;
  }
}
