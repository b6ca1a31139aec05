// Asks over sd-bus, and tells an answer from silence, refusal and the end of the other side.
#include "linux/control/control_client.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <limits>
#include <utility>

#include "linux/base/sys_error.h"
#include "linux/control/control_peer.h"
#include "linux/control/event_wire.h"
#include "linux/control/log_wire.h"

namespace graced {
namespace {

constexpr Duration a_second = 1s;
constexpr Duration prompt = 10s;  // for what graced answers at once

Instant now() {
  return std::chrono::steady_clock::now();
}

// sd-bus takes 0 for its own default, so the least wait is a microsecond.
std::uint64_t to_microseconds(Duration d) {
  if (d == infinity) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, d.count() / 1000));
}

int to_milliseconds(Duration d) {
  if (d == infinity) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(d, Duration{0})).count();
  return static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
}

}  // namespace

ControlClient::ControlClient(const std::string& path, Duration patience) {
  const Instant deadline = after(now(), patience);
  Fd socket = control::connect_to(path, patience);
  process_ = control::process_behind(socket.get());

  const auto must = [&](int result) {
    if (result >= 0) return result;
    if (!control::hung_up(result)) throw sys_error_of(result, "talk to {}", path);
    throw sys_error_of(control::stays(path, process_) ? EBUSY : ECONNRESET, "talk to {}", path);
  };
  must(start_bus(bus_, std::move(socket)));
  sd_bus* const bus = bus_.get();
  while (must(sd_bus_is_ready(bus)) == 0) {
    if (must(sd_bus_process(bus, nullptr)) > 0) continue;
    if (now() >= deadline) must(-ETIMEDOUT);
    must(sd_bus_wait(bus, to_microseconds(deadline - now())));
  }
}

ControlReply ControlClient::call(const char* interface, const char* method, Duration limit, BusMessage& answer,
                                 const char* types, ...) {
  sd_bus_message* made = nullptr;
  int r =
      sd_bus_message_new_method_call(bus_.get(), &made, control::interface, control::path, interface, method);
  const BusMessage question{made};
  if (r >= 0) {
    std::va_list values;
    va_start(values, types);
    r = sd_bus_message_appendv(made, types, values);
    va_end(values);
  }
  if (r >= 0 && watch_) return call_watching(made, limit, answer);
  BusError error;
  if (r >= 0) {
    sd_bus_message* reply = nullptr;
    r = sd_bus_call(bus_.get(), made, to_microseconds(limit), &error.value, &reply);
    answer.reset(reply);
  }
  return r >= 0 ? ControlReply{} : control::reply_of(r, error.value);
}

void ControlClient::watch(Watch watch) {
  watch_ = {};
  if (!watch) return;
  if (sd_bus_add_filter(bus_.get(), static_cast<sd_bus_slot**>(nullptr), &ControlClient::on_message,
                        static_cast<void*>(this)) < 0)
    return;
  BusMessage answer;
  call(control::interface, "Subscribe", prompt, answer, "");
  watch_ = std::move(watch);
}

int ControlClient::on_message(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
  if (sd_bus_message_is_signal(message, control::interface, "Happened") <= 0) return 0;
  try {
    const InstanceEvent event = control::read_event(message);
    if (const Watch& watch = static_cast<ControlClient*>(self)->watch_) watch(&event);
  } catch (const std::exception&) {}  // of a later version, with other fields
  return 1;
}

// sd-bus would call its own limit and the end of the connection by one name, so the limit is kept here.
ControlReply ControlClient::call_watching(sd_bus_message* question, Duration limit, BusMessage& answer) {
  const Instant deadline = after(now(), limit);
  const auto arrived = [](sd_bus_message* message, void* answer_, sd_bus_error*) {
    static_cast<BusMessage*>(answer_)->reset(sd_bus_message_ref(message));
    return 1;
  };
  sd_bus* const bus = bus_.get();
  int r = sd_bus_call_async(bus, static_cast<sd_bus_slot**>(nullptr), question,
                            static_cast<sd_bus_message_handler_t>(arrived), static_cast<void*>(&answer),
                            std::numeric_limits<std::uint64_t>::max());
  while (r >= 0 && !answer) {
    r = sd_bus_process(bus, static_cast<sd_bus_message**>(nullptr));
    if (r != 0 || answer) continue;
    if (now() >= deadline) return control::reply_of(-ETIMEDOUT, SD_BUS_ERROR_NULL);
    watch_(nullptr);
    r = sd_bus_wait(bus, to_microseconds(std::min<Duration>(a_second, deadline - now())));
    if (r == -EINTR) r = 0;
  }
  if (!answer) return control::reply_of(r, SD_BUS_ERROR_NULL);
  const sd_bus_error* error = sd_bus_message_get_error(answer.get());
  if (error == nullptr) return {};
  const bool ended = sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) != 0;
  return control::reply_of(ended ? -ECONNRESET : -sd_bus_message_get_errno(answer.get()), *error);
}

ControlReply ControlClient::reload(std::optional<Duration> limit) {
  BusMessage answer;
  ControlReply reply =
      call(control::interface, "Reload", limit.value_or(prompt), answer, "b", limit.has_value() ? 1 : 0);
  if (reply.outcome == ControlOutcome::ok) sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
  return reply;
}

ControlReply ControlClient::reload_until_settled(Duration limit) {
  BusMessage answer;
  ControlReply reply = call(control::interface, "ReloadUntilSettled", limit, answer, "");
  if (reply.outcome == ControlOutcome::ok) sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
  return reply;
}

ControlReply ControlClient::rollback() {
  BusMessage answer;
  ControlReply reply = call(control::interface, "Rollback", prompt, answer, "");
  if (reply.outcome == ControlOutcome::ok) {
    sd_bus_message_read_basic(answer.get(), 't', &reply.from);
    sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
  }
  return reply;
}

ControlReply ControlClient::abort() {
  BusMessage answer;
  ControlReply reply = call(control::interface, "Abort", prompt, answer, "");
  int next = 0;
  if (reply.outcome == ControlOutcome::ok) {
    sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
    sd_bus_message_read_basic(answer.get(), 'b', &next);
  }
  reply.next = next != 0;
  return reply;
}

ControlReply ControlClient::stop(std::optional<Duration> limit) {
  const Instant deadline = after(now(), limit.value_or(prompt));
  BusMessage answer;
  ControlReply reply =
      call(control::interface, "Stop", limit.value_or(prompt), answer, "b", limit.has_value() ? 1 : 0);
  // Its connection ends with it: that is an answer too.
  const bool ending = reply.outcome == ControlOutcome::ok || reply.outcome == ControlOutcome::gone;
  if (!limit || !ending) return reply;
  if (wait_until_gone(deadline == no_deadline ? infinity : deadline - now())) return {};
  return {.outcome = ControlOutcome::timed_out, .why = "it has not ended yet"};
}

ControlReply ControlClient::hammer() {
  BusMessage answer;
  ControlReply reply = call(control::interface, "Hammer", prompt, answer, "");
  if (reply.outcome == ControlOutcome::ok) sd_bus_message_read_basic(answer.get(), 'u', &reply.killed);
  return reply;
}

ControlReply ControlClient::report(InstanceReport& into) {
  BusMessage answer;
  ControlReply reply =
      call("org.freedesktop.DBus.Properties", "GetAll", prompt, answer, "s", control::interface);
  if (reply.outcome == ControlOutcome::ok) control::read_report(answer.get(), into);
  return reply;
}

ControlReply ControlClient::history(std::uint32_t most, std::vector<InstanceEvent>& into) {
  BusMessage answer;
  ControlReply reply = call(control::interface, "History", prompt, answer, "u", most);
  if (reply.outcome == ControlOutcome::ok && !control::holds_events(answer.get()))
    return {.outcome = ControlOutcome::failed, .why = "it runs another version, whose history cannot be read"};
  if (reply.outcome == ControlOutcome::ok) into = control::read_events(answer.get());
  return reply;
}

ControlReply ControlClient::logs(std::uint64_t from, bool wait, LogPage& into) {
  // What it has told of itself meanwhile would wait here for as long as lines are read.
  while (sd_bus_process(bus_.get(), nullptr) > 0) {}
  BusMessage answer;
  ControlReply reply =
      call(control::interface, "Logs", wait ? infinity : prompt, answer, "tb", from, wait ? 1 : 0);
  if (reply.outcome == ControlOutcome::ok) into = control::read_log_page(answer.get());
  return reply;
}

std::optional<std::string> ControlClient::name(Duration patience) {
  BusMessage answer;
  const ControlReply reply =
      call("org.freedesktop.DBus.Properties", "Get", patience, answer, "ss", control::interface, "Name");
  const char* name = nullptr;
  if (reply.outcome != ControlOutcome::ok || sd_bus_message_enter_container(answer.get(), 'v', "s") <= 0 ||
      sd_bus_message_read_basic(answer.get(), 's', &name) <= 0 || *name == '\0')
    return std::nullopt;
  return name;
}

// Gone is when the process is: then its lock, its sockets and its PID file are gone too. Where the
// process cannot be seen, the end of the connection has to do.
bool ControlClient::wait_until_gone(Duration limit) {
  const Instant deadline = after(now(), limit);
  pollfd watched{.fd = process_ ? process_.get() : sd_bus_get_fd(bus_.get()),
                 .events = static_cast<short>(process_ ? POLLIN : 0),
                 .revents = 0};
  if (watched.fd < 0) return true;
  for (;;) {
    const int r = ::poll(&watched, 1, to_milliseconds(deadline == no_deadline ? infinity : deadline - now()));
    if (r > 0) return true;
    if (r == 0) return false;
    if (errno != EINTR) throw sys_error("wait for the end of graced");
  }
}

}  // namespace graced
