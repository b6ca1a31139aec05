#include "linux/worker/known_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace graced {

namespace {

bool same(const KeptStat& then, const KeptStat& now) {
  if (then.file != now.file) return false;
  if (S_ISDIR(then.mode)) return true;
  return then.size == now.size && then.modified == now.modified && then.changed == now.changed;
}

}  // namespace

void KnownFiles::add(int directory, const std::string& name) {
  if (std::ranges::find(files_, name, &Known::name) != files_.end()) return;
  struct stat now {};
  if (name.empty() || ::fstatat(directory, name.c_str(), &now, 0) != 0) return;
  if (S_ISREG(now.st_mode) || S_ISDIR(now.st_mode)) files_.push_back({name, kept_stat(now)});
}

std::vector<std::string> KnownFiles::changed(int directory, FileLooks& looks) const {
  std::vector<std::string> names;
  for (const Known& file : files_) {
    const auto now = looks.at(directory, file.name);
    if (!now || !same(file.then, kept_stat(*now))) names.push_back(file.name);
  }
  return names;
}

}  // namespace graced
