#include "linux/manager/unit_stop.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "linux/manager/manager_bus.h"

namespace graced {

namespace {

using Found = std::unique_ptr<char, decltype(&std::free)>;

ManagerBus manager_of(const SystemdUnit& unit) {
  return unit.user ? ManagerBus::of_user(*unit.user) : ManagerBus::of_system();
}

bool is_active(const ManagerBus& manager, const std::string& path) {
  const std::string state = manager.text(path, ManagerBus::unit_interface, "ActiveState").value_or("");
  return state == "active" || state == "activating" || state == "reloading";
}

// Sockets that listen for it.
std::vector<std::string> triggers_of(const ManagerBus& manager, const std::string& path) {
  std::vector<std::string> triggers;
  const BusMessage units = manager.property(path, ManagerBus::unit_interface, "TriggeredBy", "as");
  if (!units || sd_bus_message_enter_container(units.get(), 'a', "s") <= 0) return triggers;
  const char* name = nullptr;
  while (sd_bus_message_read_basic(units.get(), 's', &name) > 0) {
    if (!std::string_view(name).ends_with(".socket")) continue;
    const std::string trigger = manager.path_of(name);
    if (!trigger.empty() && is_active(manager, trigger)) triggers.emplace_back(name);
  }
  return triggers;
}

std::optional<UnitProcesses> ask(const ManagerBus& manager, const SystemdUnit& unit) {
  const std::string path = manager.path_of(unit.name);
  if (path.empty()) return std::nullopt;
  const auto main = manager.number(path, ManagerBus::service_interface, "MainPID");
  if (!main) return std::nullopt;
  return UnitProcesses{unit, static_cast<pid_t>(*main), triggers_of(manager, path)};
}

}  // namespace

std::optional<SystemdUnit> service_of(pid_t process) {
  char* name = nullptr;
  SystemdUnit unit;
  uid_t user = 0;
  if (sd_pid_get_user_unit(process, &name) >= 0) {
    if (sd_pid_get_owner_uid(process, &user) >= 0) unit.user = user;
  } else if (sd_pid_get_unit(process, &name) < 0) {
    return std::nullopt;
  }
  const Found found(name, &std::free);
  unit.name = found.get();
  if (!unit.name.ends_with(".service")) return std::nullopt;
  return unit;
}

std::optional<UnitProcesses> processes_of(const SystemdUnit& unit) {
  const ManagerBus manager = manager_of(unit);
  return manager ? ask(manager, unit) : std::nullopt;
}

std::optional<UnitProcesses> find_service(const std::string& name) {
  const ManagerBus of_system = ManagerBus::of_system();
  auto found = of_system ? ask(of_system, {name}) : std::nullopt;
  if (found && found->main > 0) return found;
  if (const uid_t user = ::geteuid(); user != 0) {
    const ManagerBus of_user = ManagerBus::of_user(user);
    if (of_user) return ask(of_user, {name, user});
  }
  // sd_booted(3)
  if (!of_system && ::access("/run/systemd/system", F_OK) == 0)
    throw std::runtime_error(
        fmt::format("systemd does not answer, so nobody knows of {}: name a PID or an address", name));
  return found;
}

void stop_unit(const SystemdUnit& unit) {
  const ManagerBus manager = manager_of(unit);
  if (!manager) throw std::runtime_error(fmt::format("stop {}: systemd does not answer", unit.name));
  const BusMessage asked = manager.question("StopUnit");
  std::string why;
  if (!asked || sd_bus_message_append_basic(asked.get(), 's', unit.name.c_str()) < 0 ||
      sd_bus_message_append_basic(asked.get(), 's', "replace") < 0 || !manager.answer(asked, &why)) {
    throw std::runtime_error(fmt::format("stop {}: {}", unit.name, why.empty() ? "no memory" : why));
  }
}

}  // namespace graced
