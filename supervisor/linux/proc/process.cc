// Reading /proc, for the few processes that are ours.
#include "linux/proc/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "core/number.h"
#include "core/printable.h"
#include "linux/base/fd.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/proc_text.h"

namespace graced {

namespace {

std::optional<ProcessStat> stat_of(const std::string& directory) {
  const auto text = contents_of(directory + "/stat");
  return text ? parse_stat(*text) : std::nullopt;
}

}  // namespace

std::optional<pid_t> parent_of(pid_t pid) {
  const auto s = stat_of(fmt::format("/proc/{}", pid));
  return s ? std::optional(s->parent) : std::nullopt;
}

bool any_above(pid_t pid, const std::function<bool(pid_t)>& is_such) {
  while (pid > 1) {
    pid = parent_of(pid).value_or(0);
    if (is_such(pid)) return true;
  }
  return false;
}

std::set<int> numbers_of(pid_t thread) {
  std::set<int> numbers;
  const auto add = [&](pid_t id) {
    const std::string status = contents_of(fmt::format("/proc/{}/status", id)).value_or("");
    std::size_t at = status.find("\nNStgid:");
    if (at == std::string::npos) return;
    const std::size_t end = status.find('\n', ++at);
    at = status.find_last_of("\t ", end);
    numbers.insert(std::atoi(status.c_str() + at + 1));
  };
  add(thread);
  if (const auto parent = parent_of(thread)) add(*parent);
  return numbers;
}

std::optional<ProcessId> identity_of(pid_t pid) {
  const auto s = stat_of(fmt::format("/proc/{}", pid));
  if (!s || s->state == 'Z' || s->state == 'X') return std::nullopt;
  return ProcessId{pid, s->started};
}

std::optional<uid_t> user_of(pid_t pid) {
  struct stat directory {};
  if (::stat(fmt::format("/proc/{}", pid).c_str(), &directory) != 0) return std::nullopt;
  return directory.st_uid;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  const std::string tasks = fmt::format("/proc/{}/task", pid);
  for (const std::string& task : entries_of(tasks)) {
    const auto children = contents_of(tasks + "/" + task + "/children");
    if (!children) continue;
    const std::vector<pid_t> direct = parse_children(*children);
    found.insert(found.end(), direct.begin(), direct.end());
  }
  return found;
}

int own_children_file() {
  // Kept open, as it is looked at whenever a worker has ended.
  static const Fd file(
      ::open(fmt::format("/proc/self/task/{}/children", ::getpid()).c_str(), O_RDONLY | O_CLOEXEC));
  return file.get();
}

std::vector<pid_t> own_children() {
  const int file = own_children_file();
  std::string text;
  char part[4096];
  ssize_t n;
  while ((n = ::pread(file, part, sizeof part, static_cast<off_t>(text.size()))) > 0) {
    text.append(part, static_cast<std::size_t>(n));
  }
  return parse_children(text);
}

std::vector<pid_t> descendants_of(pid_t pid) {
  std::vector<pid_t> found = children_of(pid);
  for (std::size_t i = 0, direct = found.size(); i < direct; ++i) {
    const std::vector<pid_t> below = descendants_of(found[i]);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

namespace {

constexpr unsigned pf_exiting = 0x4;

bool ends(const std::optional<ProcessStat>& s) {
  return !s || (s->flags & pf_exiting) != 0 || s->state == 'Z' || s->state == 'X';
}

}  // namespace

Rest rest_of(pid_t pid) {
  const auto first = stat_of(fmt::format("/proc/{}", pid));
  if (!first) return Rest::exiting;
  if (first->threads == 1) {
    if (ends(first)) return Rest::exiting;
    return first->state == 'S' ? Rest::resting : Rest::busy;
  }

  const std::string tasks = fmt::format("/proc/{}/task", pid);
  bool busy = false;
  bool alive = false;
  for (const std::string& thread : entries_of(tasks)) {
    const auto s = stat_of(tasks + "/" + thread);
    // One thread that ends, even the first, is not yet the end of the process.
    alive |= !ends(s);
    busy |= ends(s) || s->state != 'S';
  }
  if (!alive) return Rest::exiting;
  return busy ? Rest::busy : Rest::resting;
}

std::optional<std::uint64_t> voluntary_switches(pid_t pid) {
  return parse_voluntary_switches(contents_of(fmt::format("/proc/{}/status", pid)).value_or(""));
}

Duration time_run(pid_t pid) {
  const std::string text = contents_of(fmt::format("/proc/{}/schedstat", pid)).value_or("");
  return std::chrono::nanoseconds(leading_number<std::int64_t>(text).value_or(0));
}

std::optional<WorkerMark> mark_of(pid_t pid) {
  const auto environment = contents_of(fmt::format("/proc/{}/environ", pid));
  return environment ? parse_mark(*environment) : std::nullopt;
}

std::vector<pid_t> orphans_of(pid_t worker, const WorkerMark& mark) {
  std::vector<pid_t> found;
  for (const pid_t child : own_children()) {
    if (child == worker) continue;
    const auto of_child = mark_of(child);
    if (of_child && of_child->generation == mark.generation && of_child->slot == mark.slot &&
        of_child->instance == mark.instance)
      found.push_back(child);
  }
  return found;
}

std::vector<pid_t> unmarked_orphans_since(pid_t worker) {
  std::vector<pid_t> found;
  const auto first = stat_of(fmt::format("/proc/{}", worker));
  if (!first) return found;
  for (const pid_t child : own_children()) {
    const auto who = identity_of(child);
    if (child != worker && who && who->started >= first->started && !mark_of(child)) found.push_back(child);
  }
  return found;
}

pid_t pid_of(int pidfd) {
  return parse_pidfd_info(contents_of(fmt::format("/proc/self/fdinfo/{}", pidfd)).value_or(""));
}

std::string name_of(pid_t pid) {
  auto name = contents_of(fmt::format("/proc/{}/comm", pid));
  if (!name) return "?";
  while (name->ends_with('\n')) name->pop_back();
  return *name;
}

std::string text_of_process(pid_t pid) {
  return fmt::format("PID {} ({})", pid, printable(name_of(pid)));
}

}  // namespace graced
