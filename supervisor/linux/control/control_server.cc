// Who waits for what at the control socket, and who is told. What clients may call is in control_calls.cc.
#include "linux/control/control_server.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "linux/base/sys_error.h"
#include "linux/control/control_errors.h"
#include "linux/control/event_wire.h"

namespace graced {
namespace {

// Strangers may look, but not take the room of those who must get through.
constexpr std::ptrdiff_t most_of_ours = 64;
constexpr std::ptrdiff_t most_strangers = 32;
constexpr std::ptrdiff_t most_pending = 1024;  // of one client
constexpr int most_let_in = 16;                // let in: others have their turn then

// False: there is no memory for it.
bool send_happened(sd_bus* bus, const InstanceEvent& event) {
  sd_bus_message* made = nullptr;
  if (sd_bus_message_new_signal(bus, &made, control::path, control::interface, "Happened") < 0) return false;
  const BusMessage signal{made};
  try {
    control::append_event(made, event);
  } catch (const std::system_error&) { return false; }
  return sd_bus_send(bus, made, nullptr) >= 0;
}

bool somebody_knocks(int socket) {
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 1;
}

}  // namespace

ControlServer::ControlServer(Fd listening_socket, ControlHandler& handler, Duration greeting_limit)
    : listening_(std::move(listening_socket)),
      handler_(handler),
      greeting_limit_(greeting_limit),
      log_readers_([this](std::uint64_t from) { return handler_.log_page(from); }) {}

ControlServer::ControlServer(Kept kept, ControlHandler& handler, Duration greeting_limit)
    : ControlServer(Fd(kept.listening), handler, greeting_limit) {
  last_request_ = kept.last_request;
  moved_ = MovedRequests(std::move(kept.moved));
}

std::vector<int> ControlServer::descriptors() const {
  std::vector<int> all = reserve_.numbers();
  for (const ControlConnection& connection : connections_)
    for (const int fd : connection.descriptors()) all.push_back(fd);
  return all;
}

void ControlServer::attend(Loop& loop) {
  loop_ = &loop;
  accepting_ = loop.on_fd(listening_.get(), EPOLLIN, Priority::in_turn, [this] { accept_some(); });
}

ControlServer::~ControlServer() = default;

void ControlServer::accept_some() {
  for (int i = 0; i < most_let_in; ++i) {
    Fd socket{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (socket) {
      if (welcome(std::move(socket))) continue;
      return;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Which the kernel says whether somebody knocks or not; who does would be announced again and again.
    if (!is_for_want_of_descriptors(errno) || !somebody_knocks(listening_.get())) return;
    if (!reserve_.use() && !reserve_.turn_one_away(listening_.get())) return;
  }
}

ControlConnection::Descriptors ControlServer::open_descriptors(int socket) {
  try {
    return ControlConnection::open_descriptors(socket);
  } catch (const std::system_error& e) {
    if (!is_for_want_of_descriptors(e.code().value()) || !reserve_.use()) throw;
  }
  return ControlConnection::open_descriptors(socket);
}

// Who has hung up is heard for the last time, and makes room.
void ControlServer::see_off() {
  for (auto next = connections_.begin(); next != connections_.end();) {
    ControlConnection& connection = *next++;
    if (connection.is_hung_up()) connection.read_on();  // which may destroy it
  }
}

bool ControlServer::welcome(Fd socket) {
  if (std::ssize(connections_) >= most_strangers) see_off();
  try {
    ControlConnection::Owner& owner = *this;
    auto descriptors = open_descriptors(socket.get());
    ControlConnection& newest = connections_.emplace_back(*loop_, std::move(socket), std::move(descriptors),
                                                          ++last_connection_, greeting_limit_, vtable(), owner);
    const bool ours = newest.may_change_things();
    const auto alike = std::ranges::count(connections_, ours, &ControlConnection::may_change_things);
    if (alike <= (ours ? most_of_ours : most_strangers)) return true;
    connections_.pop_back();
  } catch (const std::system_error&) {
    // It vanished before it could be welcomed, or there is no memory for it: then it has to connect again.
  }
  return false;
}

void ControlServer::connection_ended(ControlConnection& ended) noexcept {
  std::erase_if(pending_, [&](const auto& entry) { return entry.second.from == &ended; });
  log_readers_.forget(ended);
  connections_.remove_if([&](const ControlConnection& c) { return &c == &ended; });
  try {
    reserve_.keep();
  } catch (const std::exception&) {}  // no memory: at the next end
}

// Who has connected and was not let in yet waits for the next image.
void ControlServer::shut_out() {
  accepting_.enable(false);
  for (auto next = connections_.begin(); next != connections_.end();) {
    ControlConnection& connection = *next++;
    connection.read_on();  // which may destroy it
  }
}

void ControlServer::hang_up(Duration limit) {
  for (ControlConnection& connection : connections_) {
    bool any = false;
    for (const auto& [request, pending] : pending_) {
      if (pending.from != &connection || pending.wish == Wish::upgrade || pending.wish == Wish::stop) continue;
      tell(connection, "Moves", "t", request.value);
      moved_.add(request);
      any = true;
    }
    if (!any) tell(connection, "Moves", "t", std::uint64_t{0});
  }
  const Instant deadline = after(monotonic_now(), limit);
  for (;;) {
    std::vector<pollfd> slow;
    for (ControlConnection& connection : connections_)
      if (!connection.write_on()) slow.push_back({.fd = connection.socket(), .events = POLLOUT, .revents = 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - monotonic_now()).count();
    if (slow.empty() || left <= 0) break;
    static_cast<void>(::poll(slow.data(), slow.size(), static_cast<int>(left)));
  }
  pending_.clear();
  while (!connections_.empty()) {
    log_readers_.forget(connections_.front());
    connections_.pop_front();
  }
}

void ControlServer::let_in() {
  accepting_.enable(true);
}

RequestId ControlServer::remember(ControlConnection& from, sd_bus_message* call, Wish wish) {
  const RequestId by{++last_request_};
  pending_.emplace(by, Pending{&from, wish, BusMessage{sd_bus_message_ref(call)}});
  return by;
}

int ControlServer::ask_for_upgrade(ControlConnection& from, sd_bus_message* call, sd_bus_error* error) {
  const char* binary = nullptr;
  const char* token = nullptr;
  int check_only = 0;
  if (const int read = sd_bus_message_read(call, "sbs", &binary, &check_only, &token); read < 0) return read;
  if (!from.may_change_things()) return deny(from, error);
  UpgradeRequest request{binary, check_only != 0, token};
  if (!request.binary.empty() && request.binary.front() != '/')
    return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "the path of the binary must be absolute");
  const RequestId by = remember(from, call, Wish::upgrade);
  handler_.asked_by(from.pid(), from.uid());
  handler_.upgrade(by, std::move(request));
  return 1;
}

void ControlServer::upgrade_ended(RequestId to, bool ok, const std::string& from, const std::string& next,
                                  const std::string& why) {
  auto found = pending_.extract(to);
  if (found.empty()) return;
  sd_bus_message* call = found.mapped().call.get();
  static_cast<void>(ok ? sd_bus_reply_method_return(call, "ss", control::to_utf8(from).c_str(),
                                                    control::to_utf8(next).c_str())
                       : reply_error(call, control::upgrade_failed, why));
  found.mapped().from->sent();
}

int ControlServer::await(ControlConnection& from, sd_bus_message* call, sd_bus_error* error) {
  std::uint64_t number = 0;
  if (const int read = sd_bus_message_read_basic(call, 't', &number); read < 0) return read;
  if (!from.may_change_things()) return deny(from, error);
  const RequestId request{number};
  const auto known = moved_.take(request);
  if (!known) return reply_error(call, control::reload_failed, "no such reload is known here");
  pending_.emplace(request, Pending{&from, Wish::reload, BusMessage{sd_bus_message_ref(call)}});
  if (*known) answer(request, (*known)->ok, (*known)->generation, (*known)->why);
  return 1;
}

int ControlServer::ask(ControlConnection& from, sd_bus_message* call, Wish wish, sd_bus_error* error) {
  int wait = 1;
  const int read = wish == Wish::reload_until_settled ? 1 : sd_bus_message_read_basic(call, 'b', &wait);
  if (read < 0) return read;
  if (!from.may_change_things()) return deny(from, error);

  const auto mine = [&](const auto& entry) { return entry.second.from == &from; };
  if (wait != 0 && std::ranges::count_if(pending_, mine) >= most_pending)
    return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many calls are waiting already");

  RequestId by = nobody;
  if (wait != 0) by = remember(from, call, wish);
  handler_.asked_by(from.pid(), from.uid());
  switch (wish) {
    case Wish::reload:
      handler_.reload(by);
      return wait != 0 ? 1 : sd_bus_reply_method_return(call, "t", std::uint64_t{0});
    case Wish::reload_until_settled:
      handler_.reload_until_settled(by);
      return 1;
    case Wish::stop:
      handler_.stop(by);
      return wait != 0 ? 1 : sd_bus_reply_method_return(call, "");
    case Wish::upgrade:
      break;  // has another question
  }
  return -EINVAL;
}

void ControlServer::answer(RequestId to, bool ok, std::uint64_t generation, const std::string& why) {
  auto found = pending_.extract(to);
  if (found.empty()) {
    moved_.answer(to, {ok, generation, ok ? "" : why});
    return;
  }
  const Pending& pending = found.mapped();
  sd_bus_message* call = pending.call.get();
  int sent = 0;
  switch (pending.wish) {
    case Wish::reload:
    case Wish::reload_until_settled:
      sent = ok ? sd_bus_reply_method_return(call, "t", generation)
                : reply_error(call, control::reload_failed, why);
      break;
    case Wish::stop:
      sent = ok ? sd_bus_reply_method_return(call, "") : reply_error(call, control::stop_failed, why);
      break;
    case Wish::upgrade:
      break;  // has another answer
  }
  static_cast<void>(sent);  // whether it could be is the connection's to see
  pending.from->sent();
}

template <class... Values>
void ControlServer::tell(ControlConnection& connection, const char* signal, const char* types,
                         Values... values) {
  sd_bus* bus = connection.has_spoken() ? connection.ready_bus() : nullptr;
  if (bus == nullptr) return;
  static_cast<void>(sd_bus_emit_signal(bus, control::path, control::interface, signal, types, values...));
  connection.sent();
}

template <class... Values>
void ControlServer::tell_all(const char* signal, const char* types, Values... values) {
  for (ControlConnection& connection : connections_) tell(connection, signal, types, values...);
}

void ControlServer::phase_changed(const std::string& phase) {
  tell_all("PhaseChanged", "s", control::to_utf8(phase).c_str());
}

void ControlServer::worker_changed(std::uint64_t generation, std::uint32_t slot, std::int32_t pid,
                                   const std::string& state) {
  tell_all("WorkerChanged", "tuis", generation, slot, pid, control::to_utf8(state).c_str());
}

void ControlServer::reload_finished(std::uint64_t generation, bool ok, const std::string& why) {
  for (ControlConnection& connection : connections_) {
    const std::string told = control::to_utf8(connection.may_change_things() ? why : without_last_words(why));
    tell(connection, "ReloadFinished", "tbs", generation, ok ? 1 : 0, told.c_str());
  }
}

void ControlServer::happened(const InstanceEvent& event) {
  for (ControlConnection& connection : connections_) {
    sd_bus* bus = connection.subscribed() ? connection.ready_bus() : nullptr;
    if (bus == nullptr) continue;
    InstanceEvent told = event;
    if (!connection.may_change_things()) told.reason = without_last_words(told.reason);
    if (!send_happened(bus, told)) connection.cannot_be_told();
    connection.sent();
  }
}

}  // namespace graced
