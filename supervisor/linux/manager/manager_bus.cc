#include "linux/manager/manager_bus.h"

#include <fmt/format.h>

#include <cstdint>
#include <system_error>

namespace graced {

namespace {

constexpr std::uint64_t patience_usec = 1'000'000;

constexpr const char* service = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";

std::string text_of(const sd_bus_error& error, int code) {
  if (error.message != nullptr && *error.message != '\0') return error.message;
  return std::generic_category().message(-code);
}

}  // namespace

ManagerBus ManagerBus::connect(const std::string& address, bool is_a_bus) {
  ManagerBus manager;
  sd_bus* made = nullptr;
  if (sd_bus_new(&made) < 0) return manager;
  Bus bus(made);
  if (sd_bus_set_address(made, address.c_str()) < 0 || sd_bus_set_bus_client(made, is_a_bus ? 1 : 0) < 0 ||
      sd_bus_start(made) < 0) {
    return manager;
  }
  manager.bus_ = std::move(bus);
  return manager;
}

ManagerBus ManagerBus::at_socket(const std::string& path) {
  return connect("unix:path=" + path, false);
}

ManagerBus ManagerBus::on_system_bus() {
  return connect("unix:path=/run/dbus/system_bus_socket", true);
}

ManagerBus ManagerBus::of_system() {
  if (ManagerBus manager = at_socket("/run/systemd/private"); manager) {
    // Whom it does not want it lets connect, and hangs up.
    if (manager.answer(manager.question("GetDefaultTarget"))) return manager;
  }
  return on_system_bus();
}

ManagerBus ManagerBus::of_user(uid_t user) {
  return at_socket(fmt::format("/run/user/{}/systemd/private", user));
}

BusMessage ManagerBus::call(const char* path, const char* interface, const char* method) const {
  sd_bus_message* made = nullptr;
  if (sd_bus_message_new_method_call(bus_.get(), &made, service, path, interface, method) < 0) return nullptr;
  return BusMessage(made);
}

BusMessage ManagerBus::question(const char* method) const {
  return call(manager_path, manager_interface, method);
}

BusMessage ManagerBus::answer(const BusMessage& asked, std::string* why) const {
  BusError error;
  sd_bus_message* reply = nullptr;
  const int r = asked ? sd_bus_call(bus_.get(), asked.get(), patience_usec, &error.value, &reply) : -ENOMEM;
  if (r >= 0) return BusMessage(reply);
  if (why != nullptr) *why = text_of(error.value, r);
  return nullptr;
}

std::string ManagerBus::path_of(const std::string& unit) const {
  const BusMessage asked = question("GetUnit");
  if (!asked || sd_bus_message_append_basic(asked.get(), 's', unit.c_str()) < 0) return "";
  const BusMessage found = answer(asked);
  const char* path = nullptr;
  if (!found || sd_bus_message_read_basic(found.get(), 'o', &path) <= 0) return "";
  return path;
}

BusMessage ManagerBus::property(const std::string& path, const char* interface, const char* name,
                                const char* type) const {
  const BusMessage asked = call(path.c_str(), "org.freedesktop.DBus.Properties", "Get");
  if (!asked || sd_bus_message_append_basic(asked.get(), 's', interface) < 0 ||
      sd_bus_message_append_basic(asked.get(), 's', name) < 0) {
    return nullptr;
  }
  BusMessage reply = answer(asked);
  if (!reply || sd_bus_message_enter_container(reply.get(), 'v', type) <= 0) return nullptr;
  return reply;
}

std::optional<std::string> ManagerBus::text(const std::string& path, const char* interface,
                                            const char* name) const {
  const BusMessage value = property(path, interface, name, "s");
  const char* text = nullptr;
  if (!value || sd_bus_message_read_basic(value.get(), 's', &text) <= 0) return std::nullopt;
  return text;
}

std::optional<unsigned> ManagerBus::number(const std::string& path, const char* interface,
                                           const char* name) const {
  const BusMessage value = property(path, interface, name, "u");
  std::uint32_t number = 0;
  if (!value || sd_bus_message_read_basic(value.get(), 'u', &number) <= 0) return std::nullopt;
  return number;
}

}  // namespace graced
