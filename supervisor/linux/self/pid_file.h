// A file that holds graced's PID for as long as graced lives.
#pragma once

#include <string>

#include "linux/base/fd.h"

namespace graced {

class PidFile {
 public:
  // Written in one step: whoever reads it sees the old content or the new one, never a part.
  // Throws std::system_error: "pid file /run/x/a.pid: No such file or directory"; std::runtime_error if another
  // graced that is alive has it. A stale one is replaced.
  explicit PidFile(const std::string& path);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    std::string path;
    int fd = -1;
  };
  Kept kept() const { return {path_, locked_.get()}; }
  explicit PidFile(const Kept& kept) : path_(kept.path), locked_(kept.fd) {}

  // Removes it, unless somebody else's PID stands there by now.
  ~PidFile();

  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  std::string path_;  // absolute: the working directory may change
  Fd locked_;         // the file; nobody else in this process may open and close it, or the lock is gone
};

// Throws what PidFile would throw, and writes nothing.
void try_pid_file(const std::string& path);

}  // namespace graced
