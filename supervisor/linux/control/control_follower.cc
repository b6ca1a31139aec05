// One poll(2) over all who are followed, and every now and then a look for others: a directory that is not
// there yet cannot be watched.
#include "linux/control/control_follower.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "linux/base/clock.h"
#include "linux/base/sys_error.h"

namespace graced {
namespace {

using State = ControlSubscription::State;

constexpr Duration look_interval = 500ms;
constexpr Duration pause = 2s;  // for one that hung up: it has too many clients

int milliseconds_until(Instant when) {
  return static_cast<int>(
      std::chrono::ceil<std::chrono::milliseconds>(std::max(when - now(), Duration{0})).count());
}

}  // namespace

ControlFollower::ControlFollower(ControlPlaces places, Whom whom, Instant since)
    : places_(std::move(places)), whom_(std::move(whom)), since_(since) {}

std::vector<InstanceEvent> ControlFollower::wait(Instant until, std::FILE* output) {
  std::vector<InstanceEvent> news;
  while (read_ && now() < until) {
    look_around();
    for (Followed& followed : all_) advance(followed, news);
    if (!news.empty() || !silent_.empty()) break;
    std::vector<pollfd> watched{{.fd = output != nullptr ? ::fileno(output) : -1, .events = 0, .revents = 0}};
    for (const Followed& followed : all_)
      if (followed.subscription) watched.push_back(followed.subscription->watched());
    const Instant next = std::min(until, next_look_);
    if (::poll(watched.data(), watched.size(), milliseconds_until(next)) < 0 && errno != EINTR)
      throw sys_error("wait for events");
    if ((watched.front().revents & (POLLERR | POLLHUP)) != 0) read_ = false;
  }
  return news;
}

void ControlFollower::look_around() {
  if (now() < next_look_) return;
  next_look_ = now() + look_interval;
  std::vector<Found> there =
      whom_.control ? std::vector<Found>{{*whom_.control, *whom_.control}} : control_sockets(places_);
  for (const std::string& control : whom_.also)
    if (std::ranges::find(there, control, &Found::control) == there.end()) there.push_back({control, control});
  for (const Found& socket : there) {
    const FileId file = file_id(socket.control.c_str());
    const auto known = std::ranges::find(all_, socket.control, &Followed::control);
    if (known == all_.end()) {
      all_.push_back({socket.name, socket.name, socket.control, file, since_});
    } else if (known->socket != file) {  // another one has come in its place
      known->socket = file;
      known->not_meant = false;
    }
  }
  for (Followed& followed : all_)
    if (!followed.subscription && !followed.not_meant && followed.not_before <= now())
      followed.subscription = std::make_unique<ControlSubscription>(followed.control, followed.since,
                                                                    std::exchange(followed.moved, false));
}

void ControlFollower::advance(Followed& followed, std::vector<InstanceEvent>& news) {
  if (!followed.subscription) return;
  ControlSubscription& subscription = *followed.subscription;
  subscription.advance();
  const State state = subscription.state();
  const bool reached =
      state == State::following || state == State::gone || state == State::moved || state == State::hung_up;
  if (reached && !subscription.name().empty()) {
    followed.name = subscription.name();
    if (!is_meant(followed)) {
      followed.not_meant = true;
      followed.subscription.reset();
      return;
    }
    if (subscription.take_missed() && followed.told) missed(followed, news);
    if (state != State::hung_up &&
        (!std::exchange(followed.told, true) || std::exchange(followed.missed, false)))
      tell(followed, InstanceEvent::Kind::instance_found, news);
    for (InstanceEvent& event : subscription.take()) {
      followed.since = std::max(followed.since, event.monotonic);
      news.push_back(std::move(event));
    }
    if (subscription.is_complete()) followed.since = std::max(followed.since, subscription.begun());
  }
  switch (state) {
    case State::asking:
    case State::following:
      return;
    case State::moved:  // what happens before it is asked again is asked for then
      followed.moved = true;
      next_look_ = {};
      break;
    case State::gone:
    case State::absent:
      if (std::exchange(followed.told, false)) tell(followed, InstanceEvent::Kind::instance_gone, news);
      followed.missed = false;
      break;
    case State::hung_up:
      if (followed.told) missed(followed, news);
      followed.not_before = now() + pause;
      break;
    case State::not_offered:
      followed.not_meant = true;
      silent_.push_back(followed.name);
      break;
  }
  followed.subscription.reset();
}

void ControlFollower::missed(Followed& followed, std::vector<InstanceEvent>& news) {
  if (!std::exchange(followed.missed, true)) tell(followed, InstanceEvent::Kind::events_missed, news);
}

void ControlFollower::tell(Followed& followed, InstanceEvent::Kind kind, std::vector<InstanceEvent>& news) {
  InstanceEvent event{.kind = kind, .name = followed.name};
  event.at = std::chrono::system_clock::now();
  event.monotonic = now();
  if (kind == InstanceEvent::Kind::instance_found && followed.subscription->serving() != 0)
    event.serving = followed.subscription->serving();
  event.ok = kind == InstanceEvent::Kind::instance_found;
  news.push_back(std::move(event));
}

bool ControlFollower::is_meant(const Followed& followed) const {
  const auto named = [&](const std::string& name) {
    return std::ranges::find(whom_.names, name) != whom_.names.end();
  };
  return whom_.names.empty() || named(followed.directory) || named(followed.name);
}

}  // namespace graced
