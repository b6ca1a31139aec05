// The thread shares what it needs with its watcher, so that either may end first.
#include "top/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "linux/base/clock.h"
#include "linux/control/control_client.h"
#include "observe/observe.h"
#include "top/cpu_meter.h"

namespace graced {
namespace {

constexpr Duration every = 1s;
constexpr Duration at_most_every = 200ms;  // while the wish changes from key to key
constexpr Duration patience = 2s;

// What one look after the other needs to know of those before.
class Looks {
 public:
  explicit Looks(ControlPlaces places) : present_(std::move(places)) {}

  Sights look(const Wish& wish) {
    Sights sights;
    sights.number = ++number_;
    try {
      std::vector<Found> wanted;
      std::vector<std::size_t> which;
      for (Found& f : present_.look()) sights.instances.push_back({std::move(f)});
      for (std::size_t i = 0; i < sights.instances.size(); ++i) {
        if (!is_wanted(wish, i, sights.instances[i].found)) continue;
        wanted.push_back(sights.instances[i].found);
        which.push_back(i);
      }
      const bool one = wish.which == Wish::Which::one;
      std::vector<ObservedInstance> seen = observe(wanted, {.patience = patience, .supervisor = one});
      for (std::size_t i = 0; i < seen.size(); ++i) sights.instances[which[i]].seen = std::move(seen[i]);
      for (Sight& s : sights.instances) measure(s);
      meter_.forget_others();
      if (one) sights.history = history_of(sights, wish.control);
      std::erase_if(sights.instances, [&](const Sight& s) { return is_gone(s); });
    } catch (const std::exception& e) { sights.trouble = e.what(); }
    return sights;
  }

 private:
  static bool is_wanted(const Wish& wish, std::size_t index, const Found& found) {
    switch (wish.which) {
      case Wish::Which::page:
        return index >= wish.first && index < wish.first + wish.count;
      case Wish::Which::all:
        return true;
      case Wish::Which::one:
        return found.control == wish.control;
    }
    return false;
  }

  bool is_gone(const Sight& s) {
    if (!s.seen || s.seen->answer != ObservedInstance::Answer::gone) return false;
    present_.is_gone(s.found.control);
    return true;
  }

  void measure(Sight& s) {
    if (!s.told()) return;
    const Instant at = now();
    for (const GenerationLoad& g : s.seen->generations) {
      if (!g.cpu) continue;
      const auto share = meter_.look(fmt::format("{} {}", s.found.control, g.generation), *g.cpu, at);
      if (!share) continue;
      s.generation_cpu[g.generation] = *share;
      s.cpu = s.cpu.value_or(0) + *share;
    }
    if (s.seen->supervisor.cpu)
      s.supervisor_cpu = meter_.look(s.found.control + " itself", *s.seen->supervisor.cpu, at);
  }

  static std::vector<InstanceEvent> history_of(const Sights& sights, const std::string& control) {
    const auto it = std::ranges::find_if(
        sights.instances, [&](const Sight& s) { return s.found.control == control && s.told(); });
    std::vector<InstanceEvent> entries;
    if (it == sights.instances.end()) return entries;
    try {
      ControlClient(control, patience).history(UINT32_MAX, entries);
    } catch (const std::exception&) {}  // it has ended meanwhile, which the next look tells
    return entries;
  }

  PresentInstances present_;
  CpuMeter meter_;
  std::size_t number_ = 0;
};

}  // namespace

struct Watcher::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  Wish wish;
  bool at_once = true;
  bool ends = false;
  std::shared_ptr<const Sights> sights = std::make_shared<Sights>();

  void run(Looks looks) {
    Instant last = now() - every;
    for (;;) {
      Wish wanted;
      {
        std::unique_lock lock(mutex);
        changed.wait_until(lock, last + at_most_every, [&] { return ends; });
        changed.wait_until(lock, last + every, [&] { return ends || at_once; });
        if (ends) return;
        at_once = false;
        wanted = wish;
      }
      last = now();
      auto seen = std::make_shared<const Sights>(looks.look(wanted));
      const std::lock_guard lock(mutex);
      sights = std::move(seen);
    }
  }
};

Watcher::Watcher(ControlPlaces places) : shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_, looks = Looks(std::move(places))]() mutable {
    shared->run(std::move(looks));
  }).detach();
}

Watcher::~Watcher() {
  const std::lock_guard lock(shared_->mutex);
  shared_->ends = true;
  shared_->changed.notify_all();
}

void Watcher::wish_for(Wish wish) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->wish == wish) return;
  shared_->wish = std::move(wish);
  shared_->at_once = true;
  shared_->changed.notify_all();
}

void Watcher::look_again() {
  const std::lock_guard lock(shared_->mutex);
  shared_->at_once = true;
  shared_->changed.notify_all();
}

std::shared_ptr<const Sights> Watcher::sights() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->sights;
}

}  // namespace graced
