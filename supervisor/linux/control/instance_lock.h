// One instance of a name at a time: a locked file that holds our PID and goes when we go.
#pragma once

#include <string>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

class InstanceLock {
 public:
  struct FileVanished {};

  // directory: where `path` is; borrowed, must outlive the lock. Throws std::runtime_error if another
  // instance holds it, FileVanished if the directory was removed meanwhile.
  InstanceLock(int directory, const std::string& path, const std::string& instance);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    std::string path;
    int fd = -1;
  };
  Kept kept() const { return {path_, lock_.get()}; }
  InstanceLock(int directory, const Kept& kept);

  InstanceLock(const InstanceLock&) = delete;
  InstanceLock& operator=(const InstanceLock&) = delete;
  ~InstanceLock();

  // What a predecessor wrote down that crashed, or is just leaving.
  const std::vector<std::string>& left_behind() const { return left_behind_; }

  // PID, then a line each: for whoever finds the file after a crash.
  void write_down(const std::vector<std::string>& made);

 private:
  int directory_;
  std::string path_;  // for messages
  std::string file_;  // in directory_
  Fd lock_;
  std::vector<std::string> left_behind_;
};

}  // namespace graced
