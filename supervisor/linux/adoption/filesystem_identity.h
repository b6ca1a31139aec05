// Files as a thread of a worker's sees them: its root and working directory, its user, groups and umask.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "linux/base/fd.h"
#include "linux/base/file_rights.h"

namespace graced {

// Until it goes out of scope, graced itself is in that place and has no more rights to files than the
// worker, so keep it short and call nothing that wants graced's own files (/proc above all) meanwhile.
class FilesystemIdentity {
 public:
  explicit FilesystemIdentity(pid_t thread);
  FilesystemIdentity(const FilesystemIdentity&) = delete;
  FilesystemIdentity& operator=(const FilesystemIdentity&) = delete;
  ~FilesystemIdentity();

  // False: the thread is gone, or graced may not take its place. Then nothing has changed.
  explicit operator bool() const { return entered_; }

 private:
  bool take_place(const Fd& root, const Fd& directory);
  bool take_rights(const std::string& status);
  void return_place() noexcept;
  void return_rights() noexcept;

  bool entered_ = false;
  Fd own_root_;  // only where the worker's is another
  Fd own_directory_;
  std::optional<mode_t> own_umask_;
  FileRights rights_;
};

// A directory to look into (O_PATH), from `base` (AT_FDCWD: the view's working directory). None for paths
// through /proc/self and its like, which would lead to graced's own.
Fd open_directory(int base, const std::string& path);

}  // namespace graced
