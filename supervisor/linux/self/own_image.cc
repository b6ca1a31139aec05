// proc_pid_exe(5).
#include "linux/self/own_image.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <string_view>

#include "linux/base/file_id.h"
#include "linux/base/sys_error.h"

namespace graced {

std::string own_image_path() {
  std::array<char, PATH_MAX> target;
  const ssize_t n = ::readlink("/proc/self/exe", target.data(), target.size());
  if (n < 0) throw sys_error("read /proc/self/exe");
  std::string path(target.data(), static_cast<std::size_t>(n));
  constexpr std::string_view removed = " (deleted)";
  if (path.ends_with(removed)) path.resize(path.size() - removed.size());
  return path;
}

std::optional<bool> has_own_image(pid_t process) {
  const FileId other = file_id(fmt::format("/proc/{}/exe", process).c_str());
  if (other == FileId{}) return std::nullopt;
  return other == file_id("/proc/self/exe");
}

}  // namespace graced
