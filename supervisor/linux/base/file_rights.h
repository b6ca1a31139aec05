// Somebody else's rights to files, and none of graced's own, for as long as it is in scope (setfsuid(2)).
#pragma once

#include <sys/types.h>

#include <vector>

namespace graced {

class FileRights {
 public:
  FileRights() = default;
  FileRights(const FileRights&) = delete;
  FileRights& operator=(const FileRights&) = delete;
  ~FileRights() { give_back(); }

  // False: graced may not, and nothing has changed.
  bool take(uid_t user, gid_t group, const std::vector<gid_t>& others);
  void give_back() noexcept;

 private:
  bool taken_ = false;
  std::vector<gid_t> own_groups_;
};

}  // namespace graced
