// What `--take` names: a server that runs already, without graced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace graced {

struct TakeTarget {
  enum class Kind { process, unit, address };

  Kind kind = Kind::process;
  int pid = 0;             // of a process
  std::string unit{};      // "nginx.service"
  std::string host{};      // of an address, without brackets; empty: whatever it listens on with this port
  std::uint16_t port = 0;  // 1 to 65535

  std::string text() const;  // as it may be typed: "812", "nginx.service", "tcp:8080", "tcp:[::1]:8080"

  friend bool operator==(const TakeTarget&, const TakeTarget&) = default;
};

// A PID, the name of a unit with or without ".service", tcp:PORT or tcp:HOST:PORT. Throws std::invalid_argument
// with one line that names the thing and the way out.
TakeTarget parse_take_target(std::string_view text);

}  // namespace graced
