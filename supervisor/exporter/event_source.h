// What happens in all instances, as it happens: they are followed while anybody wants to know.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/instance_event.h"
#include "core/time.h"
#include "linux/control/control_places.h"

namespace graced {

class EventSource {
 public:
  // From a thread of its own.
  struct Listener {
    std::function<void()> begins;  // what happened before is not told
    std::function<void(const InstanceEvent&)> told;
  };

  // controls: sockets that lie in none of the usual places. secrets: last words are told, where this user is
  // told them.
  EventSource(ControlPlaces places, std::vector<std::string> controls, bool secrets);
  ~EventSource() { close(); }
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  void serve(Listener listener);  // once
  void close();

  // Instances are followed from now on, or no more. Returns once `begins` was called.
  void want(bool wanted);

 private:
  void run();
  void follow(std::unique_lock<std::mutex>& lock);

  ControlPlaces places_;
  std::vector<std::string> controls_;
  bool secrets_;
  Listener listener_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  bool closing_ = false;
  Instant since_{};
  std::thread thread_;
};

}  // namespace graced
