// One `--probe WHAT[,opt=value…]` as plain values: parsed here, carried out by a process of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/probing.h"
#include "core/time.h"

namespace graced {

struct ProbeSpec {
  enum class Kind { http, tcp, command };

  std::string text;    // as it was given
  std::string target;  // WHAT, without options
  Kind kind = Kind::http;
  bool tls = false;              // https
  std::string host;              // http, tcp; without brackets; empty if there is a unix_path
  std::uint16_t port = 0;        // as the host
  std::string unix_path;         // http+unix, tcp+unix
  std::string path;              // http: what is asked for, from its '/' on
  std::string command;           // exec, as written
  Duration timeout = 2s;         // of one look
  unsigned lowest_status = 200;  // http: these pass
  unsigned highest_status = 399;
  std::string body;         // http: a passing answer has that in it
  std::string host_header;  // http: what it asks for instead of `host`
  bool insecure = false;    // https: whoever answers will do
  ProbeRule rule;

  friend bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};

// Throws std::invalid_argument with one line that names the thing and the way out (without the text itself: the
// caller names that).
ProbeSpec parse_probe_spec(std::string_view text);

}  // namespace graced
