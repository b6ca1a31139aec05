// Where control sockets are, for those who make one and for those who look for one.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace graced {

struct ControlPlaces {
  std::string runtime_directory{};  // $RUNTIME_DIRECTORY, may be empty
  std::string xdg_runtime_dir{};    // $XDG_RUNTIME_DIR, may be empty
  std::string control{};            // $GRACED_CONTROL, the path of one socket, may be empty
  uid_t euid = 0;
  std::string system_directory = "/run/graced";  // root's instances
};

// As graced was started: from the environment and geteuid().
ControlPlaces control_places();

// The control socket of instance `name` where no --control is given: $RUNTIME_DIRECTORY/control if set,
// else /run/graced/NAME/control for root, else $XDG_RUNTIME_DIR/graced/NAME/control.
// Throws std::runtime_error if there is no such place.
std::string default_control_path(const std::string& name, const ControlPlaces&);

// The directories that hold one directory per instance.
std::vector<std::string> instance_directories(const ControlPlaces&);

// Whether somebody listens at this path; so does a socket that we may not connect to.
bool is_live_control(const std::string& path);

// A control socket found, and whether somebody answers there.
struct Found {
  std::string name;     // of the directory it is in; the path where that is not made for an instance
  std::string control;  // path
  bool live = false;    // false: left by an instance that crashed
};

// All control sockets in the usual places, and the one that $GRACED_CONTROL names, sorted by name, each one
// once.
std::vector<Found> find_instances(const ControlPlaces&);

// A directory of an instance that is closed to us: nobody knows whether there is a socket in it.
enum class Closed { left_out, told };

// The same without asking whether anybody is there: `live` is false of all of them.
std::vector<Found> control_sockets(const ControlPlaces&, Closed = Closed::left_out);

}  // namespace graced
