// Where an instance lives: one directory with its control socket, its lock, and room for its notify
// socket. One graced per name; what a crashed one left is recognised and replaced.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "linux/base/fd.h"

namespace graced {

class RuntimeDirectory;
class InstanceLock;

class Instance {
 public:
  // Makes the directory, takes the lock, binds and listens on the control socket (mode 0666: who may
  // change things is asked of the kernel, per call). Throws std::system_error or std::runtime_error
  // with one line that says what to do; nothing is left behind then.
  Instance(const std::string& name, const std::string& control_path);

  // What another image of this process takes over, see linux/upgrade, and what becomes of it; the control
  // socket is its server's.
  struct Kept;
  Kept kept() const;
  explicit Instance(Kept kept);

  ~Instance();  // removes socket, lock file, and the directories that were made and are empty

  Fd take_control_socket() { return std::move(listening_); }  // listening, non-blocking; once
  const std::string& control_path() const { return control_path_; }
  // The directory of second names of socket files; those of a killed predecessor are removed already.
  std::string spare_path_place() const { return control_path_ + ".paths"; }
  std::string notify_path() const;  // absolute; a stale socket there is already removed

 private:
  std::string control_path_;  // absolute
  std::unique_ptr<RuntimeDirectory> directory_;
  std::unique_ptr<InstanceLock> lock_;
  Fd listening_;
};

// Throws what Instance would throw for want of a place, and makes nothing.
void try_control_path(const std::string& control_path);

}  // namespace graced
