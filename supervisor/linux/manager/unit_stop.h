// Units of systemd that are not graced's own: whose main process one is, and stopping them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace graced {

struct SystemdUnit {
  std::string name;             // "nginx.service"
  std::optional<uid_t> user{};  // whose manager it belongs to; none: the system's

  friend bool operator==(const SystemdUnit&, const SystemdUnit&) = default;
};

struct UnitProcesses {
  SystemdUnit unit;
  pid_t main = 0;                     // 0: none
  std::vector<std::string> triggers;  // .socket units that listen, and start it when somebody comes
};

// The service whose cgroup this process is in. nullopt: it is in none, or systemd does not answer.
std::optional<SystemdUnit> service_of(pid_t process);

// nullopt: systemd does not know it.
std::optional<UnitProcesses> processes_of(const SystemdUnit& unit);

// A service by its name: of the system's manager or, if that has none that runs, of this user's. nullopt: there
// is none, or no systemd. Throws std::runtime_error with one line where that does not answer.
std::optional<UnitProcesses> find_service(const std::string& name);

// Like `systemctl stop --no-block`, asked over D-Bus; takes a second at most. Throws std::runtime_error with
// one line: "stop nginx.service: Interactive authentication required."
void stop_unit(const SystemdUnit& unit);

}  // namespace graced
