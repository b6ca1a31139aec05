// The rights are those of the file system alone, so they need no way back through a privilege that they gave
// up. Raw calls: graced has one thread, glibc would ask all.
#include "linux/base/file_rights.h"

#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace graced {

namespace {

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  if (::getgroups(static_cast<int>(groups.size()), groups.data()) < 0) groups.clear();
  return groups;
}

bool set_groups(const std::vector<gid_t>& groups) {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

bool try_to_take(uid_t user, gid_t group) {
  ::setfsgid(group);
  ::setfsuid(user);
  constexpr auto ask = static_cast<unsigned>(-1);  // changes nothing and tells what is set
  return static_cast<unsigned>(::setfsgid(ask)) == group && static_cast<unsigned>(::setfsuid(ask)) == user;
}

}  // namespace

bool FileRights::take(uid_t user, gid_t group, const std::vector<gid_t>& others) {
  own_groups_ = own_groups();
  if (user == ::geteuid() && group == ::getegid() && others == own_groups_) return true;
  if (others != own_groups_ && !set_groups(others)) return false;
  taken_ = true;
  if (try_to_take(user, group)) return true;
  give_back();
  return false;
}

void FileRights::give_back() noexcept {
  if (!taken_) return;
  taken_ = false;
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  if (own_groups() != own_groups_) set_groups(own_groups_);
}

}  // namespace graced
