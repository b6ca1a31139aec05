// What a file was like, as another image of this process takes it over, see linux/upgrade.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "linux/base/file_id.h"

namespace graced {

struct KeptStat {
  FileId file{};
  std::uint32_t mode = 0;
  std::int64_t size = 0;      // bytes
  std::int64_t modified = 0;  // both in nanoseconds since 1970
  std::int64_t changed = 0;
};

inline KeptStat kept_stat(const struct stat& s) {
  const auto nanoseconds = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
  return {file_id(s), s.st_mode, s.st_size, nanoseconds(s.st_mtim), nanoseconds(s.st_ctim)};
}

// What is not kept is zero.
inline struct stat stat_of(const KeptStat& kept) {
  const auto time = [](std::int64_t ns) { return timespec{ns / 1'000'000'000, ns % 1'000'000'000}; };
  struct stat s {};
  s.st_dev = kept.file.device;
  s.st_ino = kept.file.inode;
  s.st_mode = kept.mode;
  s.st_size = kept.size;
  s.st_mtim = time(kept.modified);
  s.st_ctim = time(kept.changed);
  return s;
}

}  // namespace graced
