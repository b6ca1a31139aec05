// sd-bus queues the question until the other side has said hello, and calls back with what comes of it.
#include "linux/control/control_question.h"

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "linux/base/sys_error.h"
#include "linux/control/control_peer.h"
#include "linux/control/control_wire.h"
#include "linux/control/event_wire.h"

namespace graced {
namespace {

BusMessage question_of(sd_bus* bus, ControlAsk ask, std::uint64_t request) {
  BusMessage question;
  const auto call = [&](const char* interface, const char* method, char type, const void* value) {
    sd_bus_message* made = nullptr;
    int r = sd_bus_message_new_method_call(bus, &made, control::interface, control::path, interface, method);
    question.reset(made);
    if (r >= 0) r = sd_bus_message_append_basic(made, type, value);
    if (r < 0) throw sys_error_of(r, "ask over the control socket");
  };
  const int wait = ask == ControlAsk::reload ? 1 : 0;
  if (ask == ControlAsk::report) {
    call("org.freedesktop.DBus.Properties", "GetAll", 's', control::interface);
  } else if (ask == ControlAsk::history) {
    call(control::interface, "History", 'u', &control::all_of_it);
  } else if (request != 0) {
    call(control::interface, "Await", 't', &request);
  } else {
    call(control::interface, "Reload", 'b', &wait);
  }
  return question;
}

}  // namespace

ControlQuestion::ControlQuestion(std::string path, ControlAsk ask) : path_(std::move(path)), ask_(ask) {
  begin();
}

void ControlQuestion::begin() {
  Fd socket = control::connect_now(path_);
  if (!socket) {
    if (errno == EAGAIN) return;
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) return settle_hung_up();
    return settle({.outcome = ControlOutcome::failed, .why = sys_error("connect to {}", path_).what()});
  }
  process_ = control::process_behind(socket.get());
  number_ = process_ ? control::number_behind(socket.get()) : 0;
  const auto must = [&](int result) {
    if (result < 0) throw sys_error_of(result, "talk to {}", path_);
  };
  try {
    must(start_bus(bus_, std::move(socket)));
    must(sd_bus_add_filter(bus_.get(), static_cast<sd_bus_slot**>(nullptr), &ControlQuestion::on_message,
                           static_cast<void*>(this)));
    const BusMessage question = question_of(bus_.get(), ask_, request_);
    must(sd_bus_call_async(bus_.get(), static_cast<sd_bus_slot**>(nullptr), question.get(),
                           &ControlQuestion::arrived, static_cast<void*>(this), control::no_limit));
  } catch (const std::system_error& e) {
    if (control::hung_up(-e.code().value())) return settle_hung_up();
    settle({.outcome = ControlOutcome::failed, .why = e.what()});
  }
}

bool ControlQuestion::advance() {
  if (answer_) return false;
  if (!bus_) {
    begin();
    return bus_ || answer_;
  }
  bool moved = false;
  while (!message_) {
    const int r = sd_bus_process(bus_.get(), static_cast<sd_bus_message**>(nullptr));
    if (!reached_ && sd_bus_is_ready(bus_.get()) > 0) reached_ = true;
    if (r == 0) return moved;
    moved = true;
    if (r > 0) continue;
    if (!control::hung_up(r))
      settle(control::reply_of(r, SD_BUS_ERROR_NULL));
    else
      settle_hung_up();
    return true;
  }
  read_answer();
  return true;
}

pollfd ControlQuestion::watched() const {
  if (!bus_ || answer_) return {.fd = -1, .events = 0, .revents = 0};
  const int events = sd_bus_get_events(bus_.get());
  return {.fd = sd_bus_get_fd(bus_.get()), .events = static_cast<short>(events < 0 ? 0 : events), .revents = 0};
}

int ControlQuestion::arrived(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
  static_cast<ControlQuestion*>(self)->message_.reset(sd_bus_message_ref(message));
  return 1;
}

int ControlQuestion::on_message(sd_bus_message* message, void* self_, sd_bus_error*) noexcept {
  if (sd_bus_message_is_signal(message, control::interface, "Moves") <= 0) return 0;
  std::uint64_t request = 0;
  sd_bus_message_read_basic(message, 't', &request);
  ControlQuestion& self = *static_cast<ControlQuestion*>(self_);
  if (request != 0 || !self.moved_) self.moved_ = request;
  return 1;
}

// What changes nothing may be asked twice; else only where it was said that nobody has heard of it.
bool ControlQuestion::may_ask_again() {
  if (moved_) {
    if (*moved_ != 0) request_ = *moved_;
    moved_.reset();
    return true;
  }
  const bool reads = ask_ == ControlAsk::report || ask_ == ControlAsk::history;
  return reads && asked_again_++ < control::most_upgrades_at_once;
}

void ControlQuestion::read_answer() {
  if (const sd_bus_error* error = sd_bus_message_get_error(message_.get())) {
    // sd-bus' own word for a connection that ended before the answer: there is no other limit.
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) != 0) return settle_hung_up();
    return settle(control::reply_of(-sd_bus_message_get_errno(message_.get()), *error));
  }
  ControlReply reply;
  InstanceReport report;
  std::vector<InstanceEvent> history;
  try {
    if (ask_ == ControlAsk::report)
      control::read_report(message_.get(), report);
    else if (ask_ == ControlAsk::history)
      history = control::read_events(message_.get());
    else
      sd_bus_message_read_basic(message_.get(), 't', &reply.generation);
  } catch (const std::system_error& e) { reply = {.outcome = ControlOutcome::failed, .why = e.what()}; }
  settle(std::move(reply));
  answer_->report = std::move(report);
  answer_->history = std::move(history);
}

void ControlQuestion::settle(ControlReply reply) {
  answer_.emplace(ControlAnswer{.reply = std::move(reply), .reached = reached_, .process = number_});
}

void ControlQuestion::settle_hung_up() {
  if (bus_ && may_ask_again()) {
    message_.reset();
    bus_.reset();
    return begin();
  }
  settle(control::reply_of(-ECONNRESET, SD_BUS_ERROR_NULL));
  answer_->turned_away = !reached_ && process_ && control::stays(path_, process_);
}

}  // namespace graced
