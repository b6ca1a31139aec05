// A descriptor of O_PATH names a file without opening it: nothing is read, no permission to
// read is needed, and it does not keep anybody from writing.
#include "linux/worker/artefact.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "linux/base/file_id.h"
#include "linux/base/file_rights.h"
#include "linux/base/sys_error.h"
#include "linux/worker/program_search.h"

namespace graced {

namespace {

int or_own(const Fd& directory) {
  return directory ? directory.get() : AT_FDCWD;
}

// Its path as the kernel knows it now; what that is worth is for the caller to see. Empty without /proc.
std::string link_of(const Fd& fd) {
  std::array<char, PATH_MAX> path;
  const ssize_t n = ::readlink(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), path.data(), path.size());
  return n > 0 && path[0] == '/' ? std::string(path.data(), static_cast<std::size_t>(n)) : "";
}

void take_rights_of(FileRights& rights, const Launch::Identity* user) {
  if (user) rights.take(user->uid, user->gid, user->groups);  // if not, spawn() will say so
}

// faccessat(2) for a descriptor came with Linux 5.8; before, exec says it.
bool may_execute(const Fd& file) {
  return ::faccessat(file.get(), "", X_OK, AT_EACCESS | AT_EMPTY_PATH) == 0 || errno == ENOSYS ||
         errno == EINVAL;
}

std::string beginning_of(int directory, const std::string& path) {
  const Fd file(::openat(directory, path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  std::array<char, 256> text;
  const ssize_t n = file ? ::read(file.get(), text.data(), text.size()) : 0;
  return std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, n)));
}

// A Python of a virtual environment finds its modules by the name that it was started by, so that another
// environment of that name is another program.
std::string virtual_environment_of(const std::string& program) {
  const std::size_t slash = program.rfind('/');
  if (slash == std::string::npos) return "";
  const std::string directory = program.substr(0, slash);
  if (directory != "bin" && !directory.ends_with("/bin")) return "";
  return directory.substr(0, directory.size() - 3) + "pyvenv.cfg";
}

}  // namespace

Artefact::Artefact(Fd directory, const std::vector<std::string>& command,
                   const std::vector<std::string>& environment, const Launch::Identity* user)
    : directory_(std::move(directory)) {
  {
    FileRights rights;
    take_rights_of(rights, user);
    for (const std::string& program : programs_named(command.front(), {&environment})) {
      if (hold(program)) break;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;  // so does exec
    }
    remember_files(command, environment);
  }
  if (!file_) return;
  FileLooks looks(FileLooks::How::waiting);
  resolved_ = link_of(file_);
  if (!is_held(resolved_, looks)) resolved_ = named_;
}

Artefact::Kept Artefact::kept() const {
  return {directory_.get(), file_.get(), then_, named_, resolved_, interpreter_, by_path_only_, read_by_name_};
}

Artefact::Artefact(Kept kept)
    : directory_(kept.directory),
      file_(kept.file),
      then_(kept.then),
      named_(std::move(kept.named)),
      resolved_(std::move(kept.resolved)),
      interpreter_(std::move(kept.interpreter)),
      by_path_only_(kept.by_path_only),
      read_by_name_(std::move(kept.read_by_name)) {}

// False, with errno, if exec would not take it either.
bool Artefact::hold(const std::string& program) {
  const std::size_t slash = program.rfind('/');
  const Fd above(
      ::openat(or_own(directory_), program.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!above) return false;
  const std::string name = program.substr(slash + 1);
  Fd file(::openat(above.get(), name.c_str(), O_PATH | O_CLOEXEC));
  struct stat now {};
  if (!file || ::fstat(file.get(), &now) != 0) return false;
  if (!S_ISREG(now.st_mode)) {
    errno = EACCES;
    return false;
  }
  if (!may_execute(file)) return false;

  file_ = std::move(file);
  then_ = kept_stat(now);
  named_ = link_of(above) + "/" + name;
  FileLooks looks(FileLooks::How::waiting);
  if (!is_held(named_, looks)) named_ = program.starts_with('/') ? program : "";
  read_by_name_.add(or_own(directory_), virtual_environment_of(program));
  if (const auto script = parse_shebang(beginning_of(above.get(), name))) {
    interpreter_ = script;
    by_path_only_ = !reads_from_descriptor(*script);
  }
  return true;
}

void Artefact::remember_files(const std::vector<std::string>& command,
                              const std::vector<std::string>& environment) {
  const int base = or_own(directory_);
  if (interpreter_) {
    for (const std::string& program : programs_named(interpreter_->program, {&environment})) {
      if (::faccessat(base, program.c_str(), F_OK, AT_EACCESS) != 0) continue;
      read_by_name_.add(base, program);
      read_by_name_.add(base, virtual_environment_of(program));
      break;
    }
  }
  for (std::size_t i = 1; i < command.size(); ++i) read_by_name_.add(base, command[i]);
}

bool Artefact::is_held(const std::string& path, FileLooks& looks) const {
  if (path.empty()) return false;
  const auto now = looks.at(AT_FDCWD, path);
  return now && file_id(*now) == then_.file;
}

std::string Artefact::path_now(FileLooks& looks) const {
  if (is_held(named_, looks)) return named_;
  if (resolved_ != named_ && is_held(resolved_, looks)) return resolved_;
  std::string moved_to = link_of(file_);
  return is_held(moved_to, looks) ? moved_to : "";
}

std::optional<Launch::Program> Artefact::program() const {
  if (!file_) return std::nullopt;
  FileLooks looks(FileLooks::How::waiting);
  std::string path = path_now(looks);
  if (path.empty() && by_path_only_) return Launch::Program{named_, -1};
  return Launch::Program{std::move(path), file_.get(),
                         interpreter_ ? shell_of(*interpreter_) : std::vector<std::string>{}, named_};
}

Artefact::Look Artefact::look(FileLooks& looks) const {
  Look look;
  if (file_) {
    const bool is_named = !path_now(looks).empty();
    look.from_descriptor = !by_path_only_ && !is_named;
    // Its link count, and so its time of change, is no business of ours: it may have lost its name.
    const auto now = looks.of(file_.get());
    const bool written = now && (now->st_size != then_.size || kept_stat(*now).modified != then_.modified);
    if (written || (by_path_only_ && !is_named)) look.changed.push_back(resolved_);
  }
  const std::vector<std::string> others = read_by_name_.changed(or_own(directory_), looks);
  look.changed.insert(look.changed.end(), others.begin(), others.end());
  return look;
}

Artefact::Look Artefact::look() const {
  FileLooks looks(FileLooks::How::waiting);
  return look(looks);
}

std::optional<Artefact::Look> Artefact::look_at_once() const {
  FileLooks looks(FileLooks::How::at_once);
  Look found = look(looks);
  return looks.all_told() ? std::optional(std::move(found)) : std::nullopt;
}

std::vector<int> Artefact::descriptors() const {
  std::vector<int> open;
  for (const Fd* fd : {&directory_, &file_}) {
    if (*fd) open.push_back(fd->get());
  }
  return open;
}

Fd open_directory_for(const Launch::Identity* user, int place, const std::string& name) {
  FileRights rights;
  take_rights_of(rights, user);
  Fd directory(::openat(place, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw sys_error("chdir {}", name);
  return directory;
}

}  // namespace graced
