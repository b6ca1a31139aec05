// A path taken apart where its last component begins: the file, and the directory that it is in.
#pragma once

#include <cstdint>
#include <string>

#include "linux/base/fd.h"

namespace graced {

struct PathParts {
  std::string directory;
  std::string file;  // empty: a path that cannot be one of a socket
};

PathParts parts_of(const std::string& path);

// As graced sees it.
std::string path_in(const Fd& directory, const std::string& file);

// A name that nothing has yet, and that a socket can be bound to: FILE.gGENERATION.
std::string free_name_beside(const Fd& directory, const std::string& file, std::uint64_t generation);

}  // namespace graced
