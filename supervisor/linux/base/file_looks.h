// What names lead to, asked of a file system, which may not answer for a while, or only of what the kernel
// remembers of it.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

namespace graced {

class FileLooks {
 public:
  // at_once: nothing is waited for (openat2(2), RESOLVE_CACHED, Linux 5.12; before, it waits).
  enum class How { waiting, at_once };
  explicit FileLooks(How how) : how_(how) {}

  // Of a name as seen from `directory` (AT_FDCWD: graced's own), and of a descriptor. nullopt: there is
  // nothing, or it was not told.
  std::optional<struct stat> at(int directory, const std::string& name);
  std::optional<struct stat> of(int fd);

  // Whether all that was asked for until now was told.
  bool all_told() const { return all_told_; }

 private:
  How how_;
  bool all_told_ = true;
};

}  // namespace graced
