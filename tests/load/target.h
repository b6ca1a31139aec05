// Where requests go, and how a connection to it is begun.
#pragma once

#include <sys/socket.h>

#include <string>

#include "linux/base/fd.h"

namespace load {

class Target {
 public:
  // "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "unix:/path", "unix:@name".
  // Throws UsageError if it is none of these, or the host is unknown.
  explicit Target(const std::string& text);

  // A non-blocking socket on which connect() was called; its answer is in `result`: 0, or an errno
  // (EINPROGRESS: wait until it is writable). No descriptor and an errno if there is no socket to be had.
  // Each connection to 127.0.0.0/8 comes from another source address there, so that ports which
  // wait out their TIME_WAIT do not run out at thousands of connections a second.
  graced::Fd connect(int& result);

  const std::string& host() const { return host_; }  // for the Host header

 private:
  sockaddr_storage address_{};
  socklen_t length_ = 0;
  std::string host_;
  unsigned connections_ = 0;
};

}  // namespace load
