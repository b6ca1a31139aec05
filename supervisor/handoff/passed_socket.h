// A listening socket as the workers of one generation get it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "linux/sockets/listener.h"

namespace graced {

struct PassedSocket {
  std::shared_ptr<Listener> listener;
  std::string name;                 // in LISTEN_FDNAMES
  std::optional<std::size_t> spec;  // which --listen it came from; none: graced was started with it
  bool switched = false;            // this generation's own: the next one gets another on the same address
};

}  // namespace graced
