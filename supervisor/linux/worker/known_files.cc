#include "linux/worker/known_files.h"

#include <fcntl.h>

#include <algorithm>

#include "linux/base/file_id.h"

namespace graced {

namespace {

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool same(const struct stat& then, const struct stat& now) {
  if (file_id(then) != file_id(now)) return false;
  if (S_ISDIR(then.st_mode)) return true;
  return then.st_size == now.st_size && same_time(then.st_mtim, now.st_mtim) &&
         same_time(then.st_ctim, now.st_ctim);
}

}  // namespace

void KnownFiles::add(int directory, const std::string& name) {
  if (std::ranges::find(files_, name, &Known::name) != files_.end()) return;
  struct stat now {};
  if (name.empty() || ::fstatat(directory, name.c_str(), &now, 0) != 0) return;
  if (S_ISREG(now.st_mode) || S_ISDIR(now.st_mode)) files_.push_back({name, now});
}

std::vector<std::string> KnownFiles::changed(int directory) const {
  std::vector<std::string> names;
  for (const Known& file : files_) {
    struct stat now {};
    if (::fstatat(directory, file.name.c_str(), &now, 0) != 0 || !same(file.then, now))
      names.push_back(file.name);
  }
  return names;
}

}  // namespace graced
