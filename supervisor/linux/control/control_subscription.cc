// Subscribes first and asks then what is remembered, so that nothing is missing between.
#include "linux/control/control_subscription.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "linux/base/clock.h"
#include "linux/control/control_peer.h"
#include "linux/control/control_reply.h"
#include "linux/control/control_wire.h"
#include "linux/control/event_wire.h"

namespace graced {

ControlSubscription::ControlSubscription(std::string path, Instant since, bool again)
    : path_(std::move(path)), since_(since), again_(again), begun_(now()) {
  begin();
}

void ControlSubscription::begin() {
  Fd socket = control::connect_now(path_);
  if (!socket) {
    state_ = errno == EAGAIN ? State::hung_up : State::absent;
    return;
  }
  process_ = control::process_behind(socket.get());
  if (start_bus(bus_, std::move(socket)) < 0 ||
      sd_bus_add_filter(bus_.get(), static_cast<sd_bus_slot**>(nullptr), &ControlSubscription::on_message,
                        static_cast<void*>(this)) < 0 ||
      !ask("Subscribe", "", nullptr, &ControlSubscription::on_subscribed) || !ask_what_was())
    ended();
}

bool ControlSubscription::ask_what_was() {
  const std::uint64_t since = control::wire_of(since_);
  return again_ ? ask("EventsSince", "t", &since, &ControlSubscription::on_history)
                : ask("History", "u", &control::all_of_it, &ControlSubscription::on_history);
}

bool ControlSubscription::ask(const char* method, const char* types, const void* value,
                              sd_bus_message_handler_t answered) {
  sd_bus_message* made = nullptr;
  if (sd_bus_message_new_method_call(bus_.get(), &made, control::interface, control::path, control::interface,
                                     method) < 0)
    return false;
  const BusMessage question{made};
  if (*types != '\0' && sd_bus_message_append_basic(made, *types, value) < 0) return false;
  return sd_bus_call_async(bus_.get(), static_cast<sd_bus_slot**>(nullptr), made, answered,
                           static_cast<void*>(this), control::no_limit) >= 0;
}

void ControlSubscription::advance() {
  while (bus_ && (state_ == State::asking || state_ == State::following)) {
    const int r = sd_bus_process(bus_.get(), static_cast<sd_bus_message**>(nullptr));
    try {
      read_answers();
    } catch (const std::system_error&) { return ended(); }  // what it says is none of this
    if (r < 0) return ended();
    if (r == 0) return;
  }
}

void ControlSubscription::ended() {
  if (state_ != State::asking && state_ != State::following) return;
  if (moves_) {
    state_ = State::moved;
    return;
  }
  if (process_ && control::stays(path_, process_))
    state_ = State::hung_up;
  else
    state_ = state_ == State::following ? State::gone : State::absent;
}

pollfd ControlSubscription::watched() const {
  if (!bus_ || (state_ != State::asking && state_ != State::following))
    return {.fd = -1, .events = 0, .revents = 0};
  const int events = sd_bus_get_events(bus_.get());
  return {.fd = sd_bus_get_fd(bus_.get()), .events = static_cast<short>(events < 0 ? 0 : events), .revents = 0};
}

std::vector<InstanceEvent> ControlSubscription::take() {
  if (!complete_) return {};
  std::vector<InstanceEvent> taken = std::exchange(events_, {});
  for (InstanceEvent& e : taken) e.name = name_;
  return taken;
}

// Also the end of the connection comes as an answer, with an error of sd-bus' own.
void ControlSubscription::read_answers() {
  if (const BusMessage answer = std::move(subscribed_)) {
    if (const sd_bus_error* error = sd_bus_message_get_error(answer.get())) {
      if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) != 0) return ended();
      state_ = State::not_offered;
      return;
    }
    const char* name = nullptr;
    if (sd_bus_message_read(answer.get(), "st", &name, &serving_) < 0) return ended();
    name_ = name;
  }
  if (const BusMessage answer = std::move(history_); answer && state_ == State::asking) {
    if (sd_bus_message_get_error(answer.get()) != nullptr) return ended();
    int all = 1;
    if (again_ && sd_bus_message_read_basic(answer.get(), 'b', &all) < 0) return ended();
    misses_some_ = all == 0;
    if (!control::holds_events(answer.get())) {
      state_ = State::not_offered;
      return;
    }
    keep(control::read_events(answer.get()));
    complete_ = true;
    state_ = State::following;
  }
}

void ControlSubscription::keep(std::vector<InstanceEvent> remembered) {
  std::erase_if(remembered, [&](const InstanceEvent& e) {
    return e.monotonic <= since_ || std::ranges::any_of(events_, [&](const InstanceEvent& came) {
             return came.monotonic == e.monotonic && came.kind == e.kind;
           });
  });
  events_.insert(events_.begin(), std::make_move_iterator(remembered.begin()),
                 std::make_move_iterator(remembered.end()));
}

int ControlSubscription::on_message(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
  if (sd_bus_message_is_signal(message, control::interface, "Moves") > 0) {
    static_cast<ControlSubscription*>(self)->moves_ = true;
    return 1;
  }
  if (sd_bus_message_is_signal(message, control::interface, "Happened") <= 0) return 0;
  try {
    static_cast<ControlSubscription*>(self)->events_.push_back(control::read_event(message));
  } catch (const std::exception&) {}  // of a later version, with other fields: what can be read is told
  return 1;
}

int ControlSubscription::on_subscribed(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
  static_cast<ControlSubscription*>(self)->subscribed_.reset(sd_bus_message_ref(message));
  return 1;
}

int ControlSubscription::on_history(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
  static_cast<ControlSubscription*>(self)->history_.reset(sd_bus_message_ref(message));
  return 1;
}

}  // namespace graced
