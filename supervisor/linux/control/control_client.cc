// Asks over sd-bus, and tells an answer from silence, refusal and the end of the other side.
#include "linux/control/control_client.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <limits>
#include <system_error>
#include <utility>

#include "linux/base/clock.h"
#include "linux/base/duplicate.h"
#include "linux/base/sys_error.h"
#include "linux/control/control_peer.h"
#include "linux/control/event_wire.h"
#include "linux/control/log_wire.h"

namespace graced {
namespace {

constexpr Duration a_second = 1s;
constexpr Duration prompt = 10s;             // for what graced answers at once
constexpr Duration limit_of_takeover = 30s;  // until the next image, or the one before again, lets clients in

// sd-bus takes 0 for its own default, so the least wait is a microsecond.
std::uint64_t to_microseconds(Duration d) {
  if (d == infinity) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, d.count() / 1000));
}

// Of what has a limit something is left: 0 would be none.
Duration left_until(Instant deadline) {
  return std::max(time_until(deadline, now()), Duration{1});
}

int to_milliseconds(Duration d) {
  if (d == infinity) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(d, Duration{0})).count();
  return static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
}

}  // namespace

// The one that is there hangs up where it goes on as another image, and then there is another try.
ControlClient::ControlClient(const std::string& path, Duration patience) : path_(path) {
  const Instant deadline = after(now(), patience);
  try {
    connect(patience);
    return;
  } catch (const std::system_error& e) {
    if (e.code().value() != ECONNRESET) throw;
  }
  try {
    connect(deadline - now());
  } catch (const std::system_error& e) {
    const int code = e.code().value();
    if (code != ECONNRESET && code != ENOENT && code != ECONNREFUSED) throw;
    throw sys_error_of(control::stays(path_, process_) ? EBUSY : ECONNRESET, "talk to {}", path_);
  }
}

// Throws ECONNRESET where the other side hangs up.
void ControlClient::connect(Duration patience) {
  const Instant deadline = after(now(), patience);
  Fd socket = control::connect_to(path_, std::max<Duration>(patience, std::chrono::milliseconds(1)));
  process_ = control::process_behind(socket.get());

  const auto must = [&](int result) {
    if (result >= 0) return result;
    throw sys_error_of(control::hung_up(result) ? ECONNRESET : -result, "talk to {}", path_);
  };
  must(start_bus(bus_, std::move(socket)));
  sd_bus* const bus = bus_.get();
  while (must(sd_bus_is_ready(bus)) == 0) {
    if (must(sd_bus_process(bus, nullptr)) > 0) continue;
    if (now() >= deadline) must(-ETIMEDOUT);
    must(sd_bus_wait(bus, to_microseconds(deadline - now())));
  }
  must(sd_bus_add_filter(bus, static_cast<sd_bus_slot**>(nullptr), &ControlClient::on_message,
                         static_cast<void*>(this)));
}

// Else the connection is what it was, ended.
bool ControlClient::connects_again(Duration patience) {
  Bus bus = std::move(bus_);
  Fd process = std::move(process_);
  for (int tries = 1; tries <= control::most_upgrades_at_once; ++tries) {
    try {
      connect(patience);
      if (watch_) subscribe();
      return true;
    } catch (const std::system_error& e) {
      if (e.code().value() != ECONNRESET) break;
    }
  }
  bus_ = std::move(bus);
  process_ = std::move(process);
  return false;
}

bool ControlClient::may_ask_again(Asks asks, Instant since) {
  if (asks == Asks::once || moved_ != 0) return false;
  Fd process{process_ ? duplicate(process_.get()) : Fd()};
  if (!connects_again(prompt)) return false;
  if (asks == Asks::reads) return true;
  const Watch watch = std::exchange(watch_, {});
  InstanceReport report;
  const bool told = this->report(report).outcome == ControlOutcome::ok;
  watch_ = watch;
  if (told && report.last_upgrade && report.last_upgrade->age <= now() - since) return true;
  process_ = std::move(process);  // whose end may be waited for
  return false;
}

ControlReply ControlClient::call(Asks asks, const char* interface, const char* method, Duration limit,
                                 BusMessage& answer, const char* types, ...) {
  const Instant deadline = after(now(), limit);
  for (int quick = 0;;) {
    const Instant began = now();
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
    ControlReply reply =
        r < 0 ? control::reply_of(r, SD_BUS_ERROR_NULL) : ask(asks, made, left_until(deadline), answer);
    if (reply.outcome != ControlOutcome::gone) return reply;
    quick = now() - began < a_second ? quick + 1 : 0;
    if (quick >= control::most_upgrades_at_once) return reply;
    if (!may_ask_again(asks, began)) return reply;
  }
}

ControlReply ControlClient::ask(Asks asks, sd_bus_message* question, Duration limit, BusMessage& answer) {
  answer.reset();
  if (watch_ || asks == Asks::outcome) return call_watching(question, limit, answer);
  BusError error;
  sd_bus_message* reply = nullptr;
  const int r = sd_bus_call(bus_.get(), question, to_microseconds(limit), &error.value, &reply);
  answer.reset(reply);
  return r >= 0 ? ControlReply{} : control::reply_of(r, error.value);
}

void ControlClient::watch(Watch watch) {
  watch_ = {};
  if (!watch) return;
  subscribe();
  watch_ = std::move(watch);
}

// A version that tells no events is watched all the same.
void ControlClient::subscribe() {
  sd_bus_message* made = nullptr;
  if (sd_bus_message_new_method_call(bus_.get(), &made, control::interface, control::path, control::interface,
                                     "Subscribe") < 0)
    return;
  const BusMessage question{made};
  BusError error;
  sd_bus_message* reply = nullptr;
  static_cast<void>(sd_bus_call(bus_.get(), made, to_microseconds(prompt), &error.value, &reply));
  const BusMessage answer{reply};
}

int ControlClient::on_message(sd_bus_message* message, void* self_, sd_bus_error*) noexcept {
  ControlClient& self = *static_cast<ControlClient*>(self_);
  if (sd_bus_message_is_signal(message, control::interface, "Moves") > 0) {
    sd_bus_message_read_basic(message, 't', &self.moved_);
    return 1;
  }
  if (sd_bus_message_is_signal(message, control::interface, "Happened") <= 0) return 0;
  try {
    const InstanceEvent event = control::read_event(message);
    if (const Watch& watch = self.watch_) watch(&event);
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
    if (watch_) watch_(nullptr);
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
  if (limit) return outcome_of_reload("Reload", *limit, true);
  BusMessage answer;
  ControlReply reply = call(Asks::acts, control::interface, "Reload", prompt, answer, "b", 0);
  if (reply.outcome == ControlOutcome::ok) sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
  return reply;
}

ControlReply ControlClient::reload_until_settled(Duration limit) {
  return outcome_of_reload("ReloadUntilSettled", limit, false);
}

// Also where another image takes over meanwhile, or several.
ControlReply ControlClient::outcome_of_reload(const char* method, Duration limit, bool waits) {
  const Instant deadline = after(now(), limit);
  BusMessage answer;
  moved_ = 0;
  ControlReply reply = waits ? call(Asks::outcome, control::interface, method, limit, answer, "b", 1)
                             : call(Asks::outcome, control::interface, method, limit, answer, "");
  while (reply.outcome == ControlOutcome::gone && moved_ != 0) {
    if (!connects_again(std::min(prompt, left_until(deadline)))) return reply;
    const std::uint64_t request = std::exchange(moved_, 0);
    reply = call(Asks::outcome, control::interface, "Await", left_until(deadline), answer, "t", request);
  }
  if (reply.outcome == ControlOutcome::ok) sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
  return reply;
}

// Its connection ends with the image that hears it, where another one takes over.
ControlReply ControlClient::upgrade(const UpgradeRequest& request, Duration limit) {
  const Instant deadline = after(now(), limit);
  ControlReply reply;
  for (int tries = 0; tries < 2; ++tries) {
    BusMessage answer;
    reply = call(Asks::once, control::interface, "Upgrade", left_until(deadline), answer, "sbs",
                 request.binary.c_str(), request.check_only ? 1 : 0, request.token.c_str());
    if (reply.outcome == ControlOutcome::ok) {
      const char* from = "";
      const char* to = "";
      sd_bus_message_read(answer.get(), "ss", &from, &to);
      reply.version_from = from;
      reply.version_to = to;
    }
    InstanceReport now_there;
    if (reply.outcome != ControlOutcome::gone || !connects_again(limit_of_takeover) ||
        report(now_there).outcome != ControlOutcome::ok)
      return reply;
    const auto& last = now_there.last_upgrade;
    if (!last || last->token != request.token) continue;  // another one's: ours was not heard
    return {.outcome = last->ok ? ControlOutcome::ok : ControlOutcome::failed,
            .why = last->why,
            .version_from = last->from,
            .version_to = last->to};
  }
  return reply;
}

ControlReply ControlClient::rollback() {
  BusMessage answer;
  ControlReply reply = call(Asks::acts, control::interface, "Rollback", prompt, answer, "");
  if (reply.outcome == ControlOutcome::ok) {
    sd_bus_message_read_basic(answer.get(), 't', &reply.from);
    sd_bus_message_read_basic(answer.get(), 't', &reply.generation);
  }
  return reply;
}

ControlReply ControlClient::abort() {
  BusMessage answer;
  ControlReply reply = call(Asks::acts, control::interface, "Abort", prompt, answer, "");
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
  ControlReply reply = call(Asks::acts, control::interface, "Stop", limit.value_or(prompt), answer, "b",
                            limit.has_value() ? 1 : 0);
  // Its connection ends with it: that is an answer too.
  const bool ending = reply.outcome == ControlOutcome::ok || reply.outcome == ControlOutcome::gone;
  if (!limit || !ending) return reply;
  if (wait_until_gone(time_until(deadline, now()))) return {};
  return {.outcome = ControlOutcome::timed_out, .why = "it has not ended yet"};
}

ControlReply ControlClient::hammer() {
  BusMessage answer;
  ControlReply reply = call(Asks::acts, control::interface, "Hammer", prompt, answer, "");
  if (reply.outcome == ControlOutcome::ok) sd_bus_message_read_basic(answer.get(), 'u', &reply.killed);
  return reply;
}

ControlReply ControlClient::report(InstanceReport& into) {
  BusMessage answer;
  ControlReply reply =
      call(Asks::reads, "org.freedesktop.DBus.Properties", "GetAll", prompt, answer, "s", control::interface);
  if (reply.outcome == ControlOutcome::ok) control::read_report(answer.get(), into);
  return reply;
}

ControlReply ControlClient::history(std::uint32_t most, std::vector<InstanceEvent>& into) {
  BusMessage answer;
  ControlReply reply = call(Asks::reads, control::interface, "History", prompt, answer, "u", most);
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
      call(Asks::reads, control::interface, "Logs", wait ? infinity : prompt, answer, "tb", from, wait ? 1 : 0);
  if (reply.outcome == ControlOutcome::ok) into = control::read_log_page(answer.get());
  return reply;
}

std::optional<std::string> ControlClient::name(Duration patience) {
  BusMessage answer;
  const ControlReply reply = call(Asks::reads, "org.freedesktop.DBus.Properties", "Get", patience, answer, "ss",
                                  control::interface, "Name");
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
    const int r = ::poll(&watched, 1, to_milliseconds(time_until(deadline, now())));
    if (r > 0) return true;
    if (r == 0) return false;
    if (errno != EINTR) throw sys_error("wait for the end of graced");
  }
}

}  // namespace graced
