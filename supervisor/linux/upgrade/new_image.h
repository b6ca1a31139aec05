// The executable file that is to take the place of this one. It is opened once: what was tried is what is run,
// whatever has come to lie at the path meanwhile.
#pragma once

#include <sys/stat.h>

#include <string>

#include "linux/base/fd.h"

namespace graced {

class NewImage {
 public:
  // Throws std::runtime_error that names the path and says why it cannot be one: it is missing, no file, not to
  // be executed, a script, no ELF file, one of another machine, or a part of one.
  explicit NewImage(const std::string& path);

  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }  // CLOEXEC; for execveat(2) with AT_EMPTY_PATH

  // Nobody but root can have written it: it is root's, and its group and others may not write to it.
  bool is_roots() const { return then_.st_uid == 0 && (then_.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

  // Whether the file itself was written to since it was opened.
  bool written() const;

 private:
  std::string path_;
  Fd file_;
  struct stat then_ {};
};

}  // namespace graced
