#include "exporter/event_source.h"

#include <exception>
#include <utility>

#include "linux/base/clock.h"
#include "linux/control/control_follower.h"
#include "linux/control/control_report.h"

namespace graced {
namespace {

constexpr Duration patience = 500ms;  // until it is looked whether anybody still wants to know
constexpr Duration pause = 2s;        // where instances cannot be followed, for want of descriptors or memory

}  // namespace

EventSource::EventSource(ControlPlaces places, std::vector<std::string> controls, bool secrets)
    : places_(std::move(places)), controls_(std::move(controls)), secrets_(secrets) {}

void EventSource::serve(Listener listener) {
  listener_ = std::move(listener);
  thread_ = std::thread([this] { run(); });
}

void EventSource::close() {
  {
    const std::lock_guard lock{mutex_};
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EventSource::want(bool wanted) {
  {
    const std::lock_guard lock{mutex_};
    if (wanted == wanted_) return;
    wanted_ = wanted;
    since_ = now();
    if (wanted) listener_.begins();
  }
  changed_.notify_all();
}

void EventSource::run() {
  std::unique_lock lock{mutex_};
  while (!closing_) {
    if (wanted_)
      follow(lock);
    else
      changed_.wait(lock);
  }
}

void EventSource::follow(std::unique_lock<std::mutex>& lock) {
  try {
    ControlFollower follower{places_, {.names = {}, .control = {}, .also = controls_}, since_};
    while (wanted_ && !closing_) {
      lock.unlock();
      for (InstanceEvent& event : follower.wait(now() + patience, nullptr)) {
        if (!secrets_) event.reason = without_last_words(event.reason);
        listener_.told(event);
      }
      follower.take_silent();
      lock.lock();
    }
  } catch (const std::exception&) {
    if (!lock.owns_lock()) lock.lock();
    changed_.wait_for(lock, pause, [this] { return closing_; });
    since_ = now();
  }
}

}  // namespace graced
