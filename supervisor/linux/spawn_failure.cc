// See spawn_failure.h.
#include "linux/spawn_failure.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "linux/adoption_filter.h"
#include "linux/capabilities.h"

namespace graced {

namespace {

std::string exec_hint(const SpawnLayout& l, int code) {
  const std::string& program = l.launch->command.front();
  const bool looked_up = program.find('/') == std::string::npos;
  if (code == ENOENT && looked_up) return " (not found in PATH)";
  struct stat file {};
  const std::string path =
      l.launch->directory && !program.starts_with('/') ? *l.launch->directory + "/" + program : program;
  if (looked_up || ::stat(path.c_str(), &file) != 0) return "";
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
          false};
    case SpawnStep::adoption:
      return {fmt::format("load the seccomp filter for adoption: {}", adoption_filter_refused(failure.code)),
              false};
    case SpawnStep::groups:
    case SpawnStep::gid:
    case SpawnStep::uid:
      return {
          fmt::format("become user {}: {} (graced must run as root for that)", launch.identity->name, reason),
          false};
    case SpawnStep::capabilities:
      return {fmt::format("keep capability {}: {} (graced must have it itself)", capability_name(failure.which),
                          reason),
              false};
    case SpawnStep::directory:
      return {fmt::format("chdir {}: {}", *launch.directory, reason), false};
    case SpawnStep::exec:
      return {fmt::format("exec {}: {}{}", launch.command.front(), reason, exec_hint(l, failure.code)),
              failure.code == ENOENT};
  }
  return {reason, false};
}

}  // namespace graced
