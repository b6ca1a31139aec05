#include "linux/manager/unit_state.h"

#include <unistd.h>

#include "linux/manager/manager_bus.h"

namespace graced {

namespace {

std::optional<UnitState> ask(const ManagerBus& manager) {
  const BusMessage asked = manager.question("GetUnitByPID");
  const auto self = static_cast<std::uint32_t>(::getpid());
  if (!asked || sd_bus_message_append_basic(asked.get(), 'u', &self) < 0) return std::nullopt;
  const BusMessage found = manager.answer(asked);
  const char* unit = nullptr;
  if (!found || sd_bus_message_read_basic(found.get(), 'o', &unit) <= 0) return std::nullopt;

  UnitState state;
  const auto stored = manager.number(unit, ManagerBus::service_interface, "NFileDescriptorStore");
  if (!stored) return std::nullopt;
  state.stored_descriptors = *stored;
  state.restart = manager.text(unit, ManagerBus::service_interface, "Restart").value_or("no");

  const BusMessage job = manager.property(unit, ManagerBus::unit_interface, "Job", "(uo)");
  std::uint32_t number = 0;
  const char* path = nullptr;
  if (!job || sd_bus_message_enter_container(job.get(), 'r', "uo") <= 0 ||
      sd_bus_message_read_basic(job.get(), 'u', &number) <= 0 ||
      sd_bus_message_read_basic(job.get(), 'o', &path) <= 0) {
    return std::nullopt;
  }
  if (number != 0) {
    const auto type = manager.text(path, ManagerBus::job_interface, "JobType");
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
  if (const auto manager = ManagerBus::at_socket(own + "private")) {
    if (auto state = ask(manager)) return state;
  }
  if (own != "/run/systemd/") return std::nullopt;
  const auto manager = ManagerBus::on_system_bus();
  return manager ? ask(manager) : std::nullopt;
}

}  // namespace graced
