// The directory an instance's files live in: made where it is missing, removed again when it is empty.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

class RuntimeDirectory {
 public:
  // Makes what is missing of `path` (absolute), each directory 0755. What graced puts there must not
  // be in anybody's hands but root's and our own, so other owners and directories that everybody may
  // write (but for sticky ones like /tmp) are refused. Throws std::system_error or std::runtime_error,
  // one line.
  explicit RuntimeDirectory(const std::string& path);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    std::string path;
    int fd = -1;
    std::vector<std::string> made{};
  };
  Kept kept() const { return {path_, directory_.get(), made_}; }
  explicit RuntimeDirectory(Kept kept)
      : path_(std::move(kept.path)), directory_(kept.fd), made_(std::move(kept.made)) {}

  RuntimeDirectory(const RuntimeDirectory&) = delete;
  RuntimeDirectory& operator=(const RuntimeDirectory&) = delete;
  ~RuntimeDirectory();  // rmdir of what was made, as far as it is empty

  int fd() const { return directory_.get(); }  // O_PATH, for openat() and friends

  // What will be removed, deepest last.
  const std::vector<std::string>& made() const { return made_; }

  // A predecessor that crashed made these: they are removed in its place. Only directories on the way
  // to this one are taken over.
  void inherit(const std::vector<std::string>& made);

 private:
  bool reach(bool give_up);
  void remove_made() noexcept;

  std::string path_;
  Fd directory_;
  std::vector<std::string> made_;
};

// Throws what RuntimeDirectory would throw, and makes nothing.
void try_runtime_directory(const std::string& path);

}  // namespace graced
