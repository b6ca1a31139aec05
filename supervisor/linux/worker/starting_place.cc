#include "linux/worker/starting_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "linux/base/file_id.h"
#include "linux/base/sys_error.h"

namespace graced {

namespace {

Fd open_directory_at(const char* path) {
  return Fd(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

StartingPlace::StartingPlace(const std::string& pwd) : own_(open_directory_at(".")) {
  if (own_ && pwd.starts_with('/') && file_id(pwd.c_str()) == file_id(own_.get())) name_ = pwd;
}

Fd StartingPlace::again() const {
  if (!own_) return Fd();
  Fd place(name_.empty() ? ::fcntl(own_.get(), F_DUPFD_CLOEXEC, 0)
                         : open_directory_at(name_.c_str()).release());
  if (!place) throw sys_error("find the directory that graced was started in, {}", shown());
  return place;
}

void StartingPlace::enter() const noexcept {
  if (!own_) return;  // it is where graced is
  try {
    if (::fchdir(again().get()) == 0) return;
  } catch (const std::system_error&) {}
  if (::chdir("/") != 0) ::_exit(1);
}

}  // namespace graced
