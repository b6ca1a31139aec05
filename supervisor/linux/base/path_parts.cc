#include "linux/base/path_parts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "linux/base/unix_address.h"

namespace graced {

namespace {

std::string path_of(const Fd& directory) {
  std::array<char, PATH_MAX> target{};
  const std::string link = fmt::format("/proc/self/fd/{}", directory.get());
  const ssize_t n = ::readlink(link.c_str(), target.data(), target.size());
  return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : "?";
}

}  // namespace

PathParts parts_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  PathParts parts;
  parts.file = slash == std::string::npos ? path : path.substr(slash + 1);
  parts.directory = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  if (parts.file == "." || parts.file == "..") parts.file.clear();
  return parts;
}

std::string path_in(const Fd& directory, const std::string& file) {
  const std::string path = path_of(directory);
  return fmt::format("{}/{}", path == "/" ? "" : path, file);
}

std::string free_name_beside(const Fd& directory, const std::string& file, std::uint64_t generation) {
  for (int attempt = 1;; ++attempt) {
    const std::string suffix =
        attempt == 1 ? fmt::format(".g{}", generation) : fmt::format(".g{}-{}", generation, attempt);
    std::string name = file.substr(0, longest_unix_path - suffix.size()) + suffix;
    struct stat found {};
    if (::fstatat(directory.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 || attempt == 1000)
      return name;
  }
}

}  // namespace graced
