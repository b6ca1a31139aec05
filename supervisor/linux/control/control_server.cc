// Who may what, who waits for what, and the D-Bus object that says so.
#include "linux/control/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "linux/base/sys_error.h"
#include "linux/control/event_wire.h"
#include "linux/control/log_wire.h"

namespace graced {
namespace {

// Strangers may look, but not take the room of those who must get through.
constexpr std::ptrdiff_t most_of_ours = 64;
constexpr std::ptrdiff_t most_strangers = 32;
constexpr std::ptrdiff_t most_pending = 1024;  // of one client

// Who looks what is wrong, while somebody waits for a reload: each has a socket and what else a connection
// needs, and an answer may need one more.
constexpr std::size_t a_client = 1 + ControlConnection::Descriptors::count;
constexpr std::size_t reserve = 2 * a_client + 1;

bool is_for_want_of_descriptors(int code) {
  return code == EMFILE || code == ENFILE;
}

bool somebody_knocks(int socket) {
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 1;
}

Fd make_spare() {
  return Fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

int deny(const ControlConnection& connection, sd_bus_error* error) {
  const std::string who = ::geteuid() == 0 ? "root" : fmt::format("root and uid {}", ::geteuid());
  const std::string text = fmt::format("only {} may do this, you are uid {}", who, connection.uid());
  return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, text.c_str());
}

int reply_error(sd_bus_message* call, const char* name, const std::string& why) {
  const std::string text = control::to_utf8(why);
  const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text.c_str());
  return sd_bus_reply_method_error(call, &error);
}

}  // namespace

// Called by sd-bus, from C, so no exception may leave them: the handler gets it, and the client is told no more
// than that it failed.
struct ControlServer::Calls {
  template <class Body>
  static int guarded(ControlServer& server, const Body& body) noexcept {
    try {
      return body();
    } catch (...) {
      server.handler_.control_failed(std::current_exception());
      return -EIO;
    }
  }

  static ControlServer& server_of(const ControlConnection& connection) {
    return static_cast<ControlServer&>(connection.owner());
  }

  template <Wish wish>
  static int on_wish(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] { return server.ask(connection, call, wish, error); });
  }

  static int on_abort(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    const auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      if (!connection.may_change_things()) return deny(connection, error);
      const Aborted aborted = server.handler_.abort(connection.pid(), connection.uid());
      return sd_bus_reply_method_return(call, "tb", aborted.generation, aborted.next ? 1 : 0);
    });
  }

  static int on_rollback(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    const auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      if (!connection.may_change_things()) return deny(connection, error);
      server.handler_.asked_by(connection.pid(), connection.uid());
      const RollbackOutcome done = server.handler_.rollback(connection.pid(), connection.uid());
      if (!done.why_not.empty()) return reply_error(call, control::rollback_failed, done.why_not);
      return sd_bus_reply_method_return(call, "tt", done.from, done.to);
    });
  }

  static int on_hammer(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    const auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      if (!connection.may_change_things()) return deny(connection, error);
      server.handler_.asked_by(connection.pid(), connection.uid());
      return sd_bus_reply_method_return(call, "u", std::uint32_t{server.handler_.hammer()});
    });
  }

  static int on_history(sd_bus_message* call, void* connection_, sd_bus_error*) noexcept {
    const auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      std::uint32_t most = 0;
      if (const int read = sd_bus_message_read_basic(call, 'u', &most); read < 0) return read;
      std::vector<InstanceEvent> entries = server.handler_.history(most);
      if (!connection.may_change_things()) {
        for (InstanceEvent& e : entries) e.reason = without_last_words(e.reason);
      }
      sd_bus_message* made = nullptr;
      if (const int r = sd_bus_message_new_method_return(call, &made); r < 0) return r;
      const BusMessage reply{made};
      control::append_events(made, entries);
      return sd_bus_send(nullptr, made, nullptr);
    });
  }

  static int on_subscribe(sd_bus_message* call, void* connection_, sd_bus_error*) noexcept {
    auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      connection.subscribe();
      const Subscribed to = server.handler_.subscribed();
      return sd_bus_reply_method_return(call, "st", control::to_utf8(to.name).c_str(), to.serving);
    });
  }

  // They may hold secrets.
  static int on_logs(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      return connection.may_change_things() ? server.log_readers_.ask(connection, call, error)
                                            : deny(connection, error);
    });
  }

  static int on_property(sd_bus*, const char*, const char*, const char* name, sd_bus_message* reply,
                         void* connection, sd_bus_error*) noexcept {
    const auto& asking = *static_cast<ControlConnection*>(connection);
    auto& server = server_of(asking);
    return guarded(server, [&] {
      if (!server.report_) {  // for this message alone
        server.report_ = server.handler_.report();
        if (!asking.may_change_things()) withhold_secrets(*server.report_);
      }
      control::find_property(name)->append(reply, *server.report_);
      return 1;
    });
  }

  static const sd_bus_vtable* vtable() {
    static const std::vector<sd_bus_vtable> table = [] {
      // By this name SD_BUS_VTABLE_START looks for it.
      const auto& sd_bus_object_vtable_format =
          *static_cast<const unsigned*>(systemd_symbol("sd_bus_object_vtable_format"));
      // Unprivileged for sd-bus, which would ask for capabilities; who may is asked in the methods.
      std::vector<sd_bus_vtable> t{
          SD_BUS_VTABLE_START(0),
          SD_BUS_METHOD_WITH_NAMES("Reload", "b", SD_BUS_PARAM(wait), "t", SD_BUS_PARAM(generation),
                                   on_wish<Wish::reload>, SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("ReloadUntilSettled", "", "", "t", SD_BUS_PARAM(generation),
                                   on_wish<Wish::reload_until_settled>, SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("Rollback", "", "", "tt", SD_BUS_PARAM(from) SD_BUS_PARAM(to), on_rollback,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("Abort", "", "", "tb", SD_BUS_PARAM(generation) SD_BUS_PARAM(next), on_abort,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("Stop", "b", SD_BUS_PARAM(wait), "", "", on_wish<Wish::stop>,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("Hammer", "", "", "u", SD_BUS_PARAM(killed), on_hammer,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("History", "u", SD_BUS_PARAM(most), control::events_signature,
                                   SD_BUS_PARAM(entries), on_history, SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("Subscribe", "", "", "st", SD_BUS_PARAM(name) SD_BUS_PARAM(serving),
                                   on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_SIGNAL_WITH_NAMES("Happened", control::event_signature, SD_BUS_PARAM(event), 0),
          SD_BUS_METHOD_WITH_NAMES("Logs", "tb", SD_BUS_PARAM(from) SD_BUS_PARAM(wait), control::log_signature,
                                   SD_BUS_PARAM(place) SD_BUS_PARAM(next) SD_BUS_PARAM(lines), on_logs,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_SIGNAL_WITH_NAMES("PhaseChanged", "s", SD_BUS_PARAM(phase), 0),
          SD_BUS_SIGNAL_WITH_NAMES(
              "WorkerChanged", "tuis",
              SD_BUS_PARAM(generation) SD_BUS_PARAM(worker) SD_BUS_PARAM(pid) SD_BUS_PARAM(state), 0),
          SD_BUS_SIGNAL_WITH_NAMES("ReloadFinished", "tbs",
                                   SD_BUS_PARAM(generation) SD_BUS_PARAM(ok) SD_BUS_PARAM(why), 0),
      };
      for (const control::Property& p : control::properties())
        t.push_back(SD_BUS_PROPERTY(p.name, p.signature, on_property, 0,
                                    p.constant ? std::uint64_t{SD_BUS_VTABLE_PROPERTY_CONST} : 0));
      t.push_back(SD_BUS_VTABLE_END);
      return t;
    }();
    return table.data();
  }
};

ControlServer::ControlServer(Fd listening_socket, ControlHandler& handler, Duration greeting_limit)
    : listening_(std::move(listening_socket)),
      spare_(make_spare()),
      handler_(handler),
      greeting_limit_(greeting_limit),
      log_readers_([this](std::uint64_t from) { return handler_.log_page(from); }) {
  keep_reserve();
}

void ControlServer::attend(Loop& loop) {
  loop_ = &loop;
  accepting_ = loop.on_fd(listening_.get(), EPOLLIN, Priority::new_client, [this] { accept_all(); });
}

ControlServer::~ControlServer() = default;

void ControlServer::accept_all() {
  for (;;) {
    Fd socket{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (socket) {
      if (welcome(std::move(socket))) continue;
      return;  // some may have hung up since: they are heard before the next one is counted
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Which the kernel says whether somebody knocks or not; who does would be announced again and again.
    if (!is_for_want_of_descriptors(errno) || !somebody_knocks(listening_.get())) return;
    if (!use_reserve() && !turn_one_away()) return;
  }
}

// What the next client needs may be opened.
bool ControlServer::use_reserve() {
  if (reserve_.size() < a_client) return false;
  reserve_.resize(reserve_.size() - a_client);
  return true;
}

// As long as there are descriptors: who ends leaves those that it had.
void ControlServer::keep_reserve() {
  while (reserve_.size() < reserve) {
    Fd one = make_spare();
    if (!one) return;
    reserve_.push_back(std::move(one));
  }
}

bool ControlServer::turn_one_away() {
  if (!spare_) return false;
  spare_.reset();
  Fd{::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)}.reset();
  spare_ = make_spare();
  return true;
}

ControlConnection::Descriptors ControlServer::open_descriptors(int socket) {
  try {
    return ControlConnection::open_descriptors(socket);
  } catch (const std::system_error& e) {
    if (!is_for_want_of_descriptors(e.code().value()) || !use_reserve()) throw;
  }
  return ControlConnection::open_descriptors(socket);
}

bool ControlServer::welcome(Fd socket) {
  try {
    ControlConnection::Owner& owner = *this;
    auto descriptors = open_descriptors(socket.get());
    ControlConnection& newest =
        connections_.emplace_back(*loop_, std::move(socket), std::move(descriptors), ++last_connection_,
                                  greeting_limit_, Calls::vtable(), owner);
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
    keep_reserve();
  } catch (const std::exception&) {}  // no memory: at the next end
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
  if (wait != 0) {
    by = RequestId{++last_request_};
    pending_.emplace(by, Pending{&from, wish, BusMessage{sd_bus_message_ref(call)}});
  }
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
  }
  return -EINVAL;
}

void ControlServer::answer(RequestId to, bool ok, std::uint64_t generation, const std::string& why) {
  auto found = pending_.extract(to);
  if (found.empty()) return;
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
    sd_bus_message* made = nullptr;
    if (sd_bus_message_new_signal(bus, &made, control::path, control::interface, "Happened") < 0) continue;
    const BusMessage signal{made};
    try {
      control::append_event(made, told);
    } catch (const std::system_error&) { continue; }  // no memory for it
    static_cast<void>(sd_bus_send(bus, made, nullptr));
    connection.sent();
  }
}

}  // namespace graced
