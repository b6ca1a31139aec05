// One look at a server.
#pragma once

#include <cstdint>
#include <string>

#include "core/probe_spec.h"

namespace graced {

// Where a look comes from: any of so many local ports from the first one on; 0: any at all.
struct LocalPorts {
  std::uint16_t first = 0;
  std::uint16_t count = 0;
};

struct Look {
  bool passed = false;
  std::string saw;  // "503 Service Unavailable", "connection refused", "no answer in 2s"
};

// spec: of kind http; its unix_path is where the socket is now. Takes as long as its timeout allows.
Look look_by_http(const ProbeSpec& spec, const LocalPorts& from);

// spec: of kind tcp.
Look look_by_connecting(const ProbeSpec& spec, const LocalPorts& from);

// Before a socket is bound to a local port: what connected from there a moment ago is not in its way, nor is
// the same port of the other family.
void free_local_port(int socket, int family);

// "connection refused": what the system says of it, as part of a sentence.
std::string error_text(int error);

}  // namespace graced
