#include "linux/proc/proc_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

#include "linux/base/fd.h"

namespace graced {

std::optional<std::string> contents_of(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  char part[4096];
  ssize_t n;
  while ((n = ::read(file.get(), part, sizeof part)) > 0) text.append(part, static_cast<std::size_t>(n));
  if (n < 0) return std::nullopt;
  return text;
}

void require_proc() {
  if (::access("/proc/self/stat", R_OK) == 0) return;
  const bool any = ::access("/proc/version", F_OK) == 0;
  throw std::runtime_error(any ? "/proc is that of other processes: mount the one of this PID namespace"
                               : "/proc is not mounted: mount -t proc proc /proc");
}

std::vector<std::string> entries_of(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  std::vector<std::string> names;
  if (!directory) return names;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

}  // namespace graced
