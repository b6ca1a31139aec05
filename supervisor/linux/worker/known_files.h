// Files that a worker reads by their names, as they were when its generation was prepared. Looked at when
// somebody asks, never watched.
#pragma once

#include <string>
#include <vector>

#include "core/members.h"
#include "linux/base/file_looks.h"
#include "linux/base/kept_stat.h"

namespace graced {

class KnownFiles {
 public:
  // Names begin in `directory` (AT_FDCWD: graced's own). What is neither a file nor a directory now is not
  // remembered: nobody can tell what it would be.
  void add(int directory, const std::string& name);

  // Names, each once: of files that are gone, or others, or were written to, and of directories that are
  // others.
  std::vector<std::string> changed(int directory, FileLooks& looks) const;

  struct Known {
    std::string name;
    KeptStat then;
  };

 private:
  template <class>
  friend struct Members;

  std::vector<Known> files_;
};

}  // namespace graced
