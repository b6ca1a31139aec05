// A child of graced's keeps its number until graced reaps it, and so does its group as long as it is in it.
#include "linux/proc/leftovers.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "linux/proc/signal_care.h"

namespace graced {

bool look_while_orphans_come(const std::function<std::vector<pid_t>()>& orphans,
                             const std::function<bool(std::vector<pid_t>)>& look) {
  constexpr int most_looks = 20;
  std::vector<pid_t> seen = orphans();
  for (int looks = 1; !look(seen); ++looks) {
    std::vector<pid_t> now = orphans();
    if (looks == most_looks || now == seen) return false;
    seen = std::move(now);
  }
  return true;
}

Leftovers::Leftovers(pid_t group, WorkerMark mark) : group_(group), mark_(std::move(mark)) {}

bool Leftovers::is_ours(const ProcessId& child, const std::vector<pid_t>& in_cgroup) const {
  if (::getpgid(child.pid) == group_ || seen_.contains(child) || std::ranges::count(in_cgroup, child.pid) > 0)
    return true;
  const auto mark = mark_of(child.pid);
  return mark && mark->generation == mark_.generation && mark->slot == mark_.slot;
}

bool Leftovers::look(const std::vector<pid_t>& orphans, const std::vector<pid_t>& in_cgroup) {
  tops_.clear();
  for (const pid_t pid : orphans) {
    const auto child = identity_of(pid);
    if (child && is_ours(*child, in_cgroup)) tops_.push_back(pid);
  }
  seen_.clear();
  for (const ProcessId& p : all()) seen_.insert(p);
  const auto is_gone = [&](const ProcessId& p) { return !seen_.contains(p); };
  std::erase_if(told_, is_gone);
  std::erase_if(spared_, is_gone);
  return !tops_.empty();
}

std::vector<ProcessId> Leftovers::all() const {
  std::vector<ProcessId> found;
  const auto add = [&](pid_t pid) {
    if (const auto p = identity_of(pid)) found.push_back(*p);
  };
  for (const pid_t top : tops_) {
    add(top);
    for (const pid_t below : descendants_of(top)) add(below);
  }
  return found;
}

bool Leftovers::tell(int signo, const std::vector<ServedSocket>& sockets,
                     const std::vector<ProcessId>& askers) {
  // All are looked at before the first one hears it: who has lost its parent may look different.
  std::vector<ProcessId> hear, later;
  const std::vector<ProcessId> found = all();
  for (const ProcessId& p : found) {
    seen_.insert(p);
    if (told_.contains(p) || spared_.contains(p)) continue;
    const bool waits = waits_for_clients(p.pid, sockets);
    // What an asker starts is part of what it does.
    const auto parent = parent_of(p.pid);
    const bool asks = std::ranges::find(askers, p) != askers.end() ||
                      (parent && std::ranges::find(spared_, *parent, &ProcessId::pid) != spared_.end());
    if (asks && !waits) {
      spared_.insert(p);
    } else if (!waits && cares_for(p.pid, signo) == false) {
      later.push_back(p);
    } else {
      hear.push_back(p);
    }
  }
  const auto has_clients = [&](const ProcessId& p) { return may_have_clients(p.pid, sockets); };
  const auto finishes = [&](const ProcessId& p) {
    return told_.contains(p) || std::ranges::find(hear, p) != hear.end() || has_clients(p);
  };
  const bool alone = !later.empty() && std::ranges::none_of(found, finishes);
  const bool wait = !later.empty() && !(alone && were_alone_);
  were_alone_ = alone;
  if (!wait) hear.insert(hear.end(), later.begin(), later.end());
  for (const ProcessId& p : hear) {
    ::kill(p.pid, signo);
    ::kill(p.pid, SIGCONT);
    told_.insert(p);
  }
  return !wait;
}

void Leftovers::signal(int signo) const {
  for (const ProcessId& p : all()) ::kill(p.pid, signo);
}

void Leftovers::kill() {
  const std::vector<ProcessId> found = all();
  for (const pid_t top : tops_) {
    if (::getpgid(top) == group_) {
      ::kill(-group_, SIGKILL);
      break;
    }
  }
  for (const ProcessId& p : found) ::kill(p.pid, SIGKILL);
}

std::string Leftovers::text() const {
  const std::vector<ProcessId> found = all();
  // Its number, and its name, are its own until it is reaped.
  if (found.empty()) return tops_.empty() ? "" : text_of_process(tops_.front());
  // Who was told to finish is of more interest than a shell that waits for it.
  const auto heard = std::ranges::find_if(found, [&](const ProcessId& p) { return told_.contains(p); });
  const pid_t first = (heard == found.end() ? found.front() : *heard).pid;
  const std::string one = text_of_process(first);
  return found.size() == 1 ? one : fmt::format("{} and {} more", one, found.size() - 1);
}

}  // namespace graced
