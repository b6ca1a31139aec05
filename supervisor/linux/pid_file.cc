// Temporary file in the same directory, then rename(2).
#include "linux/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "linux/fd.h"
#include "linux/sys_error.h"

namespace graced {
namespace {

std::string pid_line() {
  return fmt::format("{}\n", ::getpid());
}

// Gone at the end of the scope, unless it became the real file.
struct TemporaryFile {
  std::string path;
  Fd fd;
  bool kept = false;

  ~TemporaryFile() {
    if (fd && !kept) ::unlink(path.c_str());
  }
};

}  // namespace

PidFile::PidFile(const std::string& path) : path_(std::filesystem::absolute(path)) {
  const std::filesystem::path target(path_);
  TemporaryFile file{target.parent_path() / fmt::format(".{}.XXXXXX", target.filename().string()), Fd{}};
  file.fd.reset(::mkostemp(file.path.data(), O_CLOEXEC));
  if (!file.fd) throw sys_error("pid file {}", path);

  const std::string line = pid_line();
  const ssize_t written = ::write(file.fd.get(), line.data(), line.size());
  if (written < 0) throw sys_error("pid file {}", path);
  if (static_cast<std::size_t>(written) != line.size()) throw sys_error_of(ENOSPC, "pid file {}", path);
  // mkostemp makes it 0600; whoever manages the service must be able to read it.
  if (::fchmod(file.fd.get(), 0644) < 0) throw sys_error("pid file {}", path);
  if (::rename(file.path.c_str(), path_.c_str()) < 0) throw sys_error("pid file {}", path);
  file.kept = true;
}

PidFile::~PidFile() {
  const Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return;
  std::array<char, 32> content;
  const ssize_t length = ::read(file.get(), content.data(), content.size());
  if (length < 0) return;
  if (std::string_view(content.data(), static_cast<std::size_t>(length)) != pid_line()) return;
  ::unlink(path_.c_str());
}

}  // namespace graced
