// The D-Bus object of an instance: what clients may call, and who of them.
#include <optional>
#include <utility>
#include <vector>

#include "linux/control/control_errors.h"
#include "linux/control/control_server.h"
#include "linux/control/event_wire.h"
#include "linux/control/log_wire.h"

namespace graced {

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

  static int on_upgrade(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] { return server.ask_for_upgrade(connection, call, error); });
  }

  static int on_await(sd_bus_message* call, void* connection_, sd_bus_error* error) noexcept {
    auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] { return server.await(connection, call, error); });
  }

  static int on_history(sd_bus_message* call, void* connection_, sd_bus_error*) noexcept {
    const auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      std::uint32_t most = 0;
      if (const int read = sd_bus_message_read_basic(call, 'u', &most); read < 0) return read;
      return reply_with(connection, call, server.handler_.history(most));
    });
  }

  static int on_events_since(sd_bus_message* call, void* connection_, sd_bus_error*) noexcept {
    const auto& connection = *static_cast<ControlConnection*>(connection_);
    auto& server = server_of(connection);
    return guarded(server, [&] {
      std::uint64_t us = 0;
      if (const int read = sd_bus_message_read_basic(call, 't', &us); read < 0) return read;
      EventsSince since = server.handler_.events_since(control::instant_of(us));
      return reply_with(connection, call, std::move(since.events), since.all);
    });
  }

  // all: comes before them, where there is one.
  static int reply_with(const ControlConnection& connection, sd_bus_message* call,
                        std::vector<InstanceEvent> events, std::optional<bool> all = std::nullopt) {
    if (!connection.may_change_things()) {
      for (InstanceEvent& e : events) e.reason = without_last_words(e.reason);
    }
    sd_bus_message* made = nullptr;
    if (const int r = sd_bus_message_new_method_return(call, &made); r < 0) return r;
    const BusMessage reply{made};
    if (all) {
      const int word = *all ? 1 : 0;
      if (const int r = sd_bus_message_append_basic(made, 'b', &word); r < 0) return r;
    }
    control::append_events(made, events);
    return sd_bus_send(nullptr, made, nullptr);
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
          SD_BUS_METHOD_WITH_NAMES("Upgrade", "sbs",
                                   SD_BUS_PARAM(binary) SD_BUS_PARAM(check_only) SD_BUS_PARAM(token), "ss",
                                   SD_BUS_PARAM(from) SD_BUS_PARAM(to), on_upgrade, SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("Await", "t", SD_BUS_PARAM(request), "t", SD_BUS_PARAM(generation), on_await,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_SIGNAL_WITH_NAMES("Moves", "t", SD_BUS_PARAM(request), 0),
          SD_BUS_METHOD_WITH_NAMES("History", "u", SD_BUS_PARAM(most), control::events_signature,
                                   SD_BUS_PARAM(entries), on_history, SD_BUS_VTABLE_UNPRIVILEGED),
          SD_BUS_METHOD_WITH_NAMES("EventsSince", "t", SD_BUS_PARAM(monotonic), control::events_since_signature,
                                   SD_BUS_PARAM(all) SD_BUS_PARAM(events), on_events_since,
                                   SD_BUS_VTABLE_UNPRIVILEGED),
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

const sd_bus_vtable* ControlServer::vtable() {
  return Calls::vtable();
}

}  // namespace graced
