// A survivor's processes are nobody's children whom graced could wait for: those that have lost their parent
// are the manager's, which reaps them. Their numbers may become others', so all are looked at again before any
// is signalled.
#include "workers/survivors.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "linux/base/own_process.h"
#include "linux/base/pidfd.h"
#include "linux/proc/process.h"
#include "linux/proc/send_signal.h"

namespace graced {

Survivors::Survivors(Loop& loop, Tell tell, Processes processes, std::function<void()> gone)
    : loop_(loop),
      tell_(std::move(tell)),
      processes_(std::move(processes)),
      gone_(std::move(gone)),
      retry_(loop, [this] { return tell_rests(); }) {}

// An orphan has the parent that we have: the manager. The workers of another graced have that one.
std::vector<pid_t> Survivors::orphans() const {
  std::vector<pid_t> found = processes_();
  if (found.empty()) found = children_of(own_parent());  // no cgroup of its own, as in many a container
  std::erase_if(found, [](pid_t pid) { return pid == own_pid() || parent_of(pid) != own_parent(); });
  return found;
}

bool Survivors::find(const std::string& name) {
  struct Marked {
    pid_t pid;
    WorkerMark mark;
  };
  std::vector<Marked> left;
  for (const pid_t pid : orphans()) {
    const auto mark = mark_of(pid);
    if (!mark || mark->instance != name) continue;
    if (!leads_group_without_session(pid)) {  // as graced starts a worker
      left.push_back({pid, *mark});
      continue;
    }
    Fd process = open_pidfd(pid);
    // The number may have become another's since it was looked at; what is held now cannot.
    if (!process || parent_of(pid) != own_parent()) continue;
    trees_.push_back({{mark->generation, mark->slot, pid}, {pid, *mark}, std::move(process)});
  }
  // Of others only what they have left is there.
  for (const Marked& m : left) {
    const bool known = std::ranges::any_of(trees_, [&](const Tree& t) {
      return t.survivor.generation == m.mark.generation && t.survivor.slot == m.mark.slot;
    });
    if (!known) trees_.push_back({{m.mark.generation, m.mark.slot, m.pid}, {group_of(m.pid), m.mark}});
  }
  for (Tree& tree : trees_) {
    if (!look_at(tree)) continue;
    const std::string what = "has survived the graced before; it is to serve until a new generation does";
    tell_(tree.survivor, tree.worker ? what : fmt::format("{} of it {}", tree.processes.text(), what));
  }
  return !trees_.empty();
}

// Of two graceds before us that both ended so there may be two of the same number: each has what it had first.
bool Survivors::look_at(Tree& tree) {
  return look_while_orphans_come([this] { return orphans(); },
                                 [&](std::vector<pid_t> free) { return look_once(tree, std::move(free)); });
}

bool Survivors::look_once(Tree& tree, std::vector<pid_t> free) const {
  for (const Tree& other : trees_) {
    if (&other == &tree) continue;
    std::erase_if(free, [&](pid_t pid) {
      return (other.worker && other.survivor.pid == pid) || std::ranges::count(other.processes.tops(), pid) > 0;
    });
  }
  return tree.processes.look(free, {});
}

void Survivors::drain(int signo, Duration limit, const std::vector<ServedSocket>& sockets) {
  if (std::exchange(drained_, true)) return;
  signo_ = signo;
  // All are looked at before the first one hears it. Those that have ended meanwhile nobody has been told of.
  std::erase_if(trees_, [this](Tree& tree) { return !look_at(tree) || !watch(tree); });
  if (trees_.empty()) return gone_();
  for (Tree& tree : trees_) {
    tree.sockets = listening_of(tree.processes.tops());
    tree.sockets.insert(tree.sockets.end(), sockets.begin(), sockets.end());
    tell_(tree.survivor,
          "is draining, " + (limit == infinity ? "as long as it takes" : "at most " + to_rough_text(limit)));
    if (!tree.worker) {
      tell_rest(tree);
    } else {
      send_signal_awake(tree.worker, signo);
    }
  }
}

// Some of them are new: the manager's since somebody below it has ended. False: nobody is left.
bool Survivors::watch(Tree& tree) {
  const std::vector<pid_t>& tops = tree.processes.tops();
  std::erase_if(tree.watched, [&](const Watched& w) { return std::ranges::count(tops, w.pid) == 0; });
  for (const pid_t pid : tops) {
    if (std::ranges::find(tree.watched, pid, &Watched::pid) != tree.watched.end()) continue;
    Fd process = open_pidfd(pid);
    if (!process && errno == ESRCH)  // ended since it was looked at, and what it has left is to be found
      return look_at(tree) && watch(tree);
    if (!process) continue;  // the kernel, or a container's filter, has no pidfds: its end shows at the hammer
    watch(tree, pid, std::move(process));
  }
  return true;
}

void Survivors::watch(Tree& tree, pid_t pid, Fd process) {
  tree.watched.push_back({pid, std::move(process), Source()});
  Watched& w = tree.watched.back();
  w.gone = loop_.on_fd(w.process.get(), EPOLLIN, Priority::child, [this, &tree, pid] { ended(tree, pid); });
}

void Survivors::forget(Tree& tree) {
  tell_(tree.survivor, "has ended");
  trees_.remove_if([&](const Tree& t) { return &t == &tree; });
  if (trees_.empty()) gone_();
}

void Survivors::ended(Tree& tree, pid_t pid) {
  const bool worker = tree.worker && tree.survivor.pid == pid;
  if (worker) tree.worker = Fd();
  // Whoever has no pidfd is gone already, or was not to be watched: one more look tells.
  std::erase_if(tree.watched, [&](const Watched& w) { return w.pid == pid; });
  if (!look_at(tree) || !watch(tree)) return forget(tree);
  if (hammered_) return tree.processes.kill();
  if (worker) tell_(tree.survivor, fmt::format("{} of it finishes", tree.processes.text()));
  if (!tree.worker) tell_rest(tree);
}

void Survivors::tell_rest(Tree& tree) {
  tree.told = tree.processes.tell(signo_, tree.sockets, {});
  if (!tree.told) retry_.begin();
}

bool Survivors::tell_rests() {
  bool wait = false;
  for (Tree& tree : trees_) {
    // Of one that has ended just now the end is told next.
    if (tree.worker || tree.told || !look_at(tree) || !watch(tree)) continue;
    tell_rest(tree);
    wait |= !tree.told;
  }
  return wait;
}

void Survivors::hammer() {
  hammered_ = true;
  std::vector<Tree*> ended;
  for (Tree& tree : trees_) {
    // Who is started meanwhile is the manager's when its parent has ended.
    if (!look_at(tree) || !watch(tree)) {
      ended.push_back(&tree);
      continue;
    }
    tree.processes.kill();
    tell_(tree.survivor, "is hammered (SIGKILL), with all that it started");
    if (tree.watched.empty()) ended.push_back(&tree);
  }
  for (Tree* tree : ended) forget(*tree);
}

Survivors::Kept Survivors::kept() const {
  Kept kept{{}, signo_, drained_, hammered_};
  for (const Tree& tree : trees_) {
    Kept::Tree& k = kept.trees.emplace_back(
        Kept::Tree{tree.survivor, tree.processes, tree.worker.get(), tree.sockets, tree.told, {}});
    for (const Watched& w : tree.watched) k.watched.push_back({w.pid, w.process.get()});
  }
  return kept;
}

void Survivors::take_over(Kept kept) {
  signo_ = kept.signo;
  drained_ = kept.drained;
  hammered_ = kept.hammered;
  for (Kept::Tree& k : kept.trees) {
    Tree& tree = trees_.emplace_back(
        Tree{std::move(k.survivor), std::move(k.processes), Fd(k.worker), std::move(k.sockets), k.told, {}});
    for (const Kept::Watched& w : k.watched) watch(tree, w.pid, Fd(w.process));
  }
  const auto waits = [](const Tree& tree) { return !tree.worker && !tree.told; };
  if (drained_ && std::ranges::any_of(trees_, waits)) retry_.begin();
}

std::vector<Survivors::Survivor> Survivors::left() const {
  std::vector<Survivor> found;
  for (const Tree& tree : trees_) {
    Survivor s = tree.survivor;
    if (!tree.worker) s.rest = tree.processes.text();
    if (!tree.worker && !tree.processes.tops().empty()) s.pid = tree.processes.tops().front();
    found.push_back(std::move(s));
  }
  return found;
}

}  // namespace graced
