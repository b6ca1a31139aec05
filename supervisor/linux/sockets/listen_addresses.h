// The addresses that a --listen of tcp or udp stands for.
#pragma once

#include <functional>

#include "core/listen_spec.h"
#include "linux/sockets/socket_address.h"

namespace graced {

// Throws ListenError.
using OpenAddress = std::function<void(const SocketAddress& address)>;

// Opens each: of a host name all that it has, else IPv6 and IPv4 at once, or IPv4 alone where IPv6 is off.
// Throws ListenError, also where a name is unknown.
void each_address(const ListenSpec& spec, const OpenAddress& open);

}  // namespace graced
