// Temporary file in the same directory, then rename(2). A living instance has a lock on its file, for writing:
// who may only read the file cannot hold it (fcntl(2)), and the kernel tells whose it is.
#include "linux/self/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "core/printable.h"
#include "linux/base/fd.h"
#include "linux/base/sys_error.h"
#include "linux/proc/proc_file.h"
#include "linux/sockets/directory_lock.h"

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

// What a graced was started with says how it is called: "named 'shop'", or else all of it.
std::string called(pid_t pid) {
  std::string words = contents_of(fmt::format("/proc/{}/cmdline", pid)).value_or("");
  for (std::size_t at = 0; at < words.size(); at = words.find('\0', at) + 1) {
    const std::string_view word(words.c_str() + at);
    if (word == "--") break;
    if (word.starts_with("--name=")) return fmt::format("named '{}'", printable(std::string(word.substr(7))));
    if (word != "--name") continue;
    const std::size_t next = at + word.size() + 1;
    if (next < words.size()) return fmt::format("named '{}'", printable(words.c_str() + next));
  }
  constexpr std::size_t most = 100;
  while (words.ends_with('\0')) words.pop_back();
  for (char& c : words) c = c == '\0' ? ' ' : c;
  if (words.size() > most) words = words.substr(0, most) + "…";
  return fmt::format("'{}'", printable(words));
}

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

void refuse_if_another_has_it(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return;
  struct flock lock = whole_file(F_RDLCK);  // which only a lock for writing keeps out
  if (::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type != F_WRLCK) return;
  const std::string who =
      lock.l_pid > 0 ? fmt::format("PID {}, {}", lock.l_pid, called(lock.l_pid)) : "in another PID namespace";
  throw std::runtime_error(fmt::format(
      "pid file {}: another graced that runs has it ({}): give this one another --pid-file, or stop that one",
      path, who));
}

}  // namespace

PidFile::PidFile(const std::string& path) : path_(std::filesystem::absolute(path)) {
  const DirectoryLock one_at_a_time(path_);
  refuse_if_another_has_it(path_);
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
  struct flock ours = whole_file(F_WRLCK);
  (void)::fcntl(file.fd.get(), F_SETLK, &ours);  // some file systems have none
  if (::rename(file.path.c_str(), path_.c_str()) < 0) throw sys_error("pid file {}", path);
  file.kept = true;
  locked_ = std::move(file.fd);
}

void try_pid_file(const std::string& path) {
  const std::filesystem::path target = std::filesystem::absolute(path);
  if (::faccessat(AT_FDCWD, target.parent_path().c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    throw sys_error("pid file {}", path);
  if (struct stat file{}; ::lstat(target.c_str(), &file) == 0 && S_ISDIR(file.st_mode))
    throw sys_error_of(EISDIR, "pid file {}", path);
  refuse_if_another_has_it(target);
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
