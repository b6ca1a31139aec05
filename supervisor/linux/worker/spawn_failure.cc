#include "linux/worker/spawn_failure.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "linux/base/capabilities.h"
#include "linux/seccomp/adoption_filter.h"

namespace graced {

namespace {

std::string exec_hint(const SpawnLayout& l, int code) {
  const Launch& launch = *l.launch;
  if (launch.program && launch.program->path.empty()) {
    return code == ENOSYS || code == EPERM
               ? " (its path does not lead to it any more, and this kernel or container runs none from a "
                 "descriptor)"
               : " (the file that its generation was prepared with; its path does not lead to it any more)";
  }
  const std::string& word = launch.program ? launch.program->path : launch.command.front();
  const bool looked_up = word.find('/') == std::string::npos;
  if (code == ENOENT && looked_up) return " (not found in PATH)";
  if (struct stat directory{}; launch.directory_fd >= 0 && !word.starts_with('/') &&
                               ::fstat(launch.directory_fd, &directory) == 0 && directory.st_nlink == 0) {
    return " (the directory to start in was removed)";
  }
  const bool by_name = launch.directory && launch.directory_fd < 0 && !word.starts_with('/');
  const std::string path = by_name ? *launch.directory + "/" + word : word;
  struct stat file {};
  const int base = launch.directory_fd >= 0 ? launch.directory_fd : AT_FDCWD;
  if (looked_up || ::fstatat(base, path.c_str(), &file, 0) != 0) return "";
  if (code == ENOENT) return " (the file is there; the interpreter that its first line names is not)";
  if (S_ISDIR(file.st_mode)) return " (it is a directory)";
  if (code == EACCES && (file.st_mode & 0111) == 0) return " (not executable: chmod +x it)";
  if (code == ENOEXEC) return " (neither a program nor a script that begins with #!)";
  return "";
}

}  // namespace

SpawnFailed explain(const SpawnLayout& l, const SpawnFailure& failure) {
  const Launch& launch = *l.launch;
  const char* reason = ::strerrordesc_np(failure.code);
  switch (failure.step) {
    case SpawnStep::signals:
      return {fmt::format("set the worker's signal mask: {}", reason), false};
    case SpawnStep::group:
      return {fmt::format("give the worker a process group: {}", reason), false};
    case SpawnStep::descriptors: {
      rlimit files{};
      ::getrlimit(RLIMIT_NOFILE, &files);
      return {fmt::format(
                  "pass {} sockets to the worker: {} (the limit is {} descriptors; raise it with ulimit -n or "
                  "LimitNOFILE=)",
                  launch.pass_fds.size(), reason, files.rlim_cur),
              false};
    }
    case SpawnStep::limits:
      return {
          fmt::format("set limit {}: {}", launch.limits[static_cast<std::size_t>(failure.which)].name, reason),
          false, SpawnFailed::Cause::limits};
    case SpawnStep::adoption:
      return {fmt::format("load the seccomp filter for adoption: {}", adoption_filter_refused(failure.code)),
              false};
    case SpawnStep::groups:
    case SpawnStep::gid:
    case SpawnStep::uid:
      return {
          fmt::format("become user {}: {} (graced must run as root for that)", launch.identity->name, reason),
          false, SpawnFailed::Cause::user};
    case SpawnStep::capabilities:
      return {fmt::format("keep capability {}: {} (graced must have it itself)", capability_name(failure.which),
                          reason),
              false, SpawnFailed::Cause::capabilities};
    case SpawnStep::directory:
      return {fmt::format("chdir {}: {}", launch.directory.value_or("to where graced was started"), reason),
              false, SpawnFailed::Cause::directory};
    case SpawnStep::exec:
      return {fmt::format("exec {}: {}{}", launch.command.front(), reason, exec_hint(l, failure.code)),
              failure.code == ENOENT, SpawnFailed::Cause::program};
  }
  return {reason, false};
}

}  // namespace graced
