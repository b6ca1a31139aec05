// Asked at the manager's own socket, which is open to root and its own user; others ask on the system bus.
#include "linux/manager/unit_state.h"

#include <unistd.h>

#include <chrono>

#include "linux/base/bus.h"

namespace graced {

namespace {

constexpr std::uint64_t patience_usec = 1'000'000;

constexpr const char* service = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";

Bus connect(const std::string& address, bool is_a_bus) {
  sd_bus* made = nullptr;
  if (sd_bus_new(&made) < 0) return nullptr;
  Bus bus(made);
  if (sd_bus_set_address(made, address.c_str()) < 0 || sd_bus_set_bus_client(made, is_a_bus ? 1 : 0) < 0 ||
      sd_bus_start(made) < 0) {
    return nullptr;
  }
  return bus;
}

BusMessage question(const Bus& bus, const char* path, const char* interface, const char* method) {
  sd_bus_message* made = nullptr;
  if (sd_bus_message_new_method_call(bus.get(), &made, service, path, interface, method) < 0) return nullptr;
  return BusMessage(made);
}

BusMessage answer(const Bus& bus, const BusMessage& asked) {
  sd_bus_message* reply = nullptr;
  if (sd_bus_call(bus.get(), asked.get(), patience_usec, nullptr, &reply) < 0) return nullptr;
  return BusMessage(reply);
}

// Stands inside the variant; nullptr: there is no such property, of this type.
BusMessage property(const Bus& bus, const char* path, const char* interface, const char* name,
                    const char* type) {
  const BusMessage asked = question(bus, path, "org.freedesktop.DBus.Properties", "Get");
  if (!asked || sd_bus_message_append_basic(asked.get(), 's', interface) < 0 ||
      sd_bus_message_append_basic(asked.get(), 's', name) < 0) {
    return nullptr;
  }
  BusMessage reply = answer(bus, asked);
  if (!reply || sd_bus_message_enter_container(reply.get(), 'v', type) <= 0) return nullptr;
  return reply;
}

std::optional<std::string> text_property(const Bus& bus, const char* path, const char* interface,
                                         const char* name) {
  const BusMessage value = property(bus, path, interface, name, "s");
  const char* text = nullptr;
  if (!value || sd_bus_message_read_basic(value.get(), 's', &text) <= 0) return std::nullopt;
  return text;
}

std::optional<UnitState> ask(const Bus& bus) {
  const BusMessage asked = question(bus, manager_path, "org.freedesktop.systemd1.Manager", "GetUnitByPID");
  const auto self = static_cast<std::uint32_t>(::getpid());
  if (!asked || sd_bus_message_append_basic(asked.get(), 'u', &self) < 0) return std::nullopt;
  const BusMessage found = answer(bus, asked);
  const char* unit = nullptr;
  if (!found || sd_bus_message_read_basic(found.get(), 'o', &unit) <= 0) return std::nullopt;

  UnitState state;
  const BusMessage stored =
      property(bus, unit, "org.freedesktop.systemd1.Service", "NFileDescriptorStore", "u");
  std::uint32_t count = 0;
  if (!stored || sd_bus_message_read_basic(stored.get(), 'u', &count) <= 0) return std::nullopt;
  state.stored_descriptors = count;
  state.restart = text_property(bus, unit, "org.freedesktop.systemd1.Service", "Restart").value_or("no");

  const BusMessage job = property(bus, unit, "org.freedesktop.systemd1.Unit", "Job", "(uo)");
  std::uint32_t number = 0;
  const char* path = nullptr;
  if (!job || sd_bus_message_enter_container(job.get(), 'r', "uo") <= 0 ||
      sd_bus_message_read_basic(job.get(), 'u', &number) <= 0 ||
      sd_bus_message_read_basic(job.get(), 'o', &path) <= 0) {
    return std::nullopt;
  }
  if (number != 0) {
    const auto type = text_property(bus, path, "org.freedesktop.systemd1.Job", "JobType");
    if (!type) return std::nullopt;
    state.job = *type;
  }
  return state;
}

}  // namespace

bool is_followed(const UnitState& state, int exit_status) {
  if (state.stored_descriptors == 0) return false;
  if (!state.job.empty()) return state.job.ends_with("restart");  // or try-restart
  if (state.restart == "always") return true;
  return exit_status == 0 ? state.restart == "on-success" : state.restart == "on-failure";
}

std::optional<UnitState> unit_state(const std::string& notify_socket) {
  constexpr std::string_view name = "/systemd/notify";
  if (!notify_socket.ends_with(name)) return std::nullopt;
  const std::string own = notify_socket.substr(0, notify_socket.size() - std::string_view("notify").size());
  if (const Bus bus = connect("unix:path=" + own + "private", false)) {
    if (auto state = ask(bus)) return state;
  }
  if (own != "/run/systemd/") return std::nullopt;
  const Bus bus = connect("unix:path=/run/dbus/system_bus_socket", true);
  return bus ? ask(bus) : std::nullopt;
}

}  // namespace graced
