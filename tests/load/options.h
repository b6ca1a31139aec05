// What graced-load is asked to do, read from its arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace load {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Bad input: one line that names the thing and the way out, exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string target;          // "127.0.0.1:8080", "[::1]:8080", "unix:/run/a.sock", "unix:@name"
  std::string path = "/";      // of the request
  std::string expect;          // what every answer's body begins with; empty: anything
  bool keep_alive = false;     // else one connection per request
  std::optional<double> rate;  // requests a second by the clock (open loop); else as fast as answers come
  unsigned clients = 8;        // closed loop: this many ask at once; open loop: at most this many
  Duration pause{};            // closed loop: between an answer and the same client's next request
  std::optional<std::uint64_t> count;          // requests, then end
  Duration time = std::chrono::seconds{10};    // then end, whatever else is asked
  Duration timeout = std::chrono::seconds{5};  // of one request; also how long outstanding ones get at the end
  bool follow = false;                         // a line on stdout for each new answering process
  bool human = false;                          // a summary on stderr
};

// nullopt: help was asked for. Throws UsageError.
std::optional<Options> read_options(const std::vector<std::string>& args);

extern const char* const help_text;

}  // namespace load
