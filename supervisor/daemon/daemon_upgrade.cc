// Daemon: what another image of graced gets.
#include <stdexcept>

#include "daemon/daemon.h"

namespace graced {

Succession Daemon::succession() {
  throw std::runtime_error("what this graced holds cannot be handed to another one yet");
}

}  // namespace graced
