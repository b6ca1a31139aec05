// What systemd, asked over D-Bus, says of the unit that graced is in.
#pragma once

#include <optional>
#include <string>

namespace graced {

struct UnitState {
  unsigned stored_descriptors = 0;  // in its store
  std::string job;                  // what is being done with it: "stop", "restart", …; empty: nothing
  std::string restart;              // Restart=
};

// Will the manager start graced again after it has ended with this status, and give it what is stored?
bool is_followed(const UnitState& state, int exit_status);

// notify_socket: the value of NOTIFY_SOCKET, which tells whether it is the system's manager or a user's.
// nullopt if it is neither, does not answer within a second, or not to us.
std::optional<UnitState> unit_state(const std::string& notify_socket);

}  // namespace graced
