// See survivors.h.
#include "survivors.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "linux/process.h"

namespace graced {

Survivors::Survivors(Loop& loop, Tell tell) : loop_(loop), tell_(std::move(tell)) {}

// An orphan has the parent that we have: the manager. The workers of another graced have that one.
void Survivors::find(const std::string& name, const std::vector<pid_t>& processes) {
  for (const pid_t pid : processes) {
    if (pid == ::getpid() || ::getpgid(pid) != pid || parent_of(pid) != ::getppid()) continue;
    const auto mark = mark_of(pid);
    if (!mark || mark->instance != name) continue;
    Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    // The number may have become another's since it was looked at; what is held now cannot.
    if (!process || parent_of(pid) != ::getppid()) continue;
    survivors_.push_back({{mark->generation, mark->slot, pid}, std::move(process), {}});
    tell_(survivors_.back().survivor,
          "has survived the graced before; it is to serve until a new generation does");
  }
}

void Survivors::drain(int signo, Duration limit) {
  if (survivors_.empty() || deadline_) return;
  for (Watched& w : survivors_) {
    tell_(w.survivor,
          "is draining, " + (limit == infinity ? "as long as it takes" : "at most " + to_rough_text(limit)));
    w.gone = loop_.on_fd(w.process.get(), EPOLLIN, Turn::child, [this, pid = w.survivor.pid] { forget(pid); });
    ::syscall(SYS_pidfd_send_signal, w.process.get(), signo, nullptr, 0);
  }
  deadline_ = loop_.timer([this] { hammer(); });
  deadline_.fire_at(after(monotonic_now(), limit));
}

// The pidfd says whether its number is still its: the group has the same one.
void Survivors::hammer() {
  for (const Watched& w : survivors_) {
    if (::syscall(SYS_pidfd_send_signal, w.process.get(), SIGKILL, nullptr, 0) != 0) continue;
    ::kill(-w.survivor.pid, SIGKILL);
    tell_(w.survivor, "is hammered (SIGKILL), with all that it started");
  }
}

void Survivors::forget(pid_t pid) {
  const auto gone = std::ranges::find(survivors_, pid, [](const Watched& w) { return w.survivor.pid; });
  if (gone == survivors_.end()) return;
  tell_(gone->survivor, "has ended");
  survivors_.erase(gone);
}

}  // namespace graced
