// Which instance, or which ones, are meant.
#pragma once

#include <string>
#include <vector>

#include "client/outcome.h"
#include "core/time.h"
#include "linux/control/control_client.h"
#include "linux/control/control_places.h"
#include "options/command_line.h"

namespace graced {

// How long an instance may take to say its name; one that hangs may still be asked for more.
inline constexpr Duration greeting = 2s;

// An instance to ask, and what it was found by.
struct Chosen {
  std::string name;
  std::string control;
};

// Throws Refusal where it is none, or more than one.
Chosen choose(const Target&, const ControlPlaces&);

// Throws Refusal where it cannot be reached; Ended, which is one, where it has ended meanwhile.
ControlClient reach(const Chosen&);

// Those that somebody answers for; one that crashed has left no more than its socket.
std::vector<Found> running(const ControlPlaces&);

// "/run/graced and /run/user/1000/graced"
std::string looked_in(const ControlPlaces&);

// For those who ask all.
Refusal nobody_runs(const ControlPlaces&);

}  // namespace graced
