#include "linux/adoption/filesystem_identity.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <exception>
#include <string_view>

#include "core/number.h"
#include "linux/base/file_id.h"
#include "linux/proc/proc_file.h"

namespace graced {

namespace {

Fd open_place(const std::string& path) {
  return Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// The numbers of a line of /proc/PID/status, "Uid:\t0\t0\t0\t0".
std::vector<unsigned> numbers_of(const std::string& status, std::string_view label, int base) {
  std::vector<unsigned> numbers;
  const std::size_t at = status.find(fmt::format("\n{}:", label));
  if (at == std::string::npos) return numbers;
  std::string_view line(status);
  line.remove_prefix(at + label.size() + 2);
  line = line.substr(0, line.find('\n'));
  while (line.starts_with(' ') || line.starts_with('\t')) {
    line.remove_prefix(1);
    const auto number = take_number<unsigned>(line, base);
    if (!number) break;
    numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace

FilesystemIdentity::FilesystemIdentity(pid_t thread) {
  const std::string base = fmt::format("/proc/{}", thread);
  const Fd root = open_place(base + "/root");
  const Fd directory = open_place(base + "/cwd");
  const std::string status = contents_of(base + "/status").value_or("");
  if (!root || !directory) return;
  if (!take_place(root, directory)) {
    return_place();
  } else if (!take_rights(status)) {
    return_rights();
    return_place();
  } else {
    entered_ = true;
  }
}

FilesystemIdentity::~FilesystemIdentity() {
  if (!entered_) return;
  return_rights();
  return_place();
}

bool FilesystemIdentity::take_place(const Fd& root, const Fd& directory) {
  own_directory_ = open_place(".");
  if (!own_directory_) return false;
  Fd own_root = open_place("/");
  if (!own_root) return false;
  if (!same_file(root.get(), own_root.get())) {
    if (::fchdir(root.get()) != 0 || ::chroot(".") != 0) return false;
    own_root_ = std::move(own_root);
  }
  return ::fchdir(directory.get()) == 0;
}

bool FilesystemIdentity::take_rights(const std::string& status) {
  const auto users = numbers_of(status, "Uid", 10);
  const auto groups = numbers_of(status, "Gid", 10);
  const auto mask = numbers_of(status, "Umask", 8);
  if (users.size() != 4 || groups.size() != 4 || mask.size() != 1) return false;
  own_umask_ = ::umask(mask[0]);

  const std::vector<gid_t> others = numbers_of(status, "Groups", 10);
  return rights_.take(users[3], groups[3], others);
}

void FilesystemIdentity::return_rights() noexcept {
  rights_.give_back();
  if (own_umask_) ::umask(*own_umask_);
}

void FilesystemIdentity::return_place() noexcept {
  if (own_root_ && (::fchdir(own_root_.get()) != 0 || ::chroot(".") != 0))
    std::terminate();  // better than there
  if (own_directory_ && ::fchdir(own_directory_.get()) != 0) std::terminate();
}

Fd open_directory(int base, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, base, path.c_str(), &how, sizeof how)));
}

}  // namespace graced
