#include "exporter/desk.h"
#include "linux/base/clock.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace graced {
Desk::Desk(Looking looking, Duration pause)
    : looking_(std::move(looking)), pause_(pause), thread_([this] { run(); }) {}

void Desk::close() {
  {
    const std::lock_guard lock{mutex_};
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (const Served& served : std::exchange(waiting_, {})) served(nullptr);
}

void Desk::ask(Served served) {
  std::unique_lock lock{mutex_};
  if (closing_) {
    lock.unlock();
    return served(nullptr);
  }
  waiting_.push_back(std::move(served));
  lock.unlock();
  changed_.notify_all();
}

void Desk::keep(std::function<bool()> work, Duration every) {
  {
    const std::lock_guard lock{mutex_};
    work_ = std::move(work);
    every_ = every;
    if (work_due_ == no_deadline) work_due_ = now();
  }
  changed_.notify_all();
}

Instant Desk::next_due(Instant now) const {
  const Instant look = waiting_.empty() ? no_deadline : std::max(may_look_, now);
  return std::min(look, work_due_);
}

void Desk::run() {
  std::unique_lock lock{mutex_};
  while (!closing_) {
    const Instant due = next_due(now());
    if (due == no_deadline) {
      changed_.wait(lock);
      continue;
    }
    if (due > now()) {
      changed_.wait_until(lock, due);
      continue;
    }
    if (!waiting_.empty() && may_look_ <= now()) {
      const std::vector<Served> asked = std::exchange(waiting_, {});
      may_look_ = now() + pause_;
      lock.unlock();
      LookPointer look;
      try {
        look = looking_();
      } catch (const std::exception&) {}  // out of descriptors or memory: the next one may do
      for (const Served& served : asked) served(look);
      lock.lock();
    }
    if (work_due_ <= now()) {
      const auto work = work_;
      work_due_ = now() + every_;
      lock.unlock();
      const bool goes_on = work();
      lock.lock();
      if (!goes_on) work_due_ = no_deadline;
    }
  }
}

}  // namespace graced
