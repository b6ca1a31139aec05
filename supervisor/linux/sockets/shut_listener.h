// A listening socket that was shut down. shutdown(2) acts on the socket, not on a descriptor of it: a
// single worker that calls it ends listening for everybody who holds the socket, graced and the next
// generation included.
#pragma once

#include <cstdint>
#include <string>

#include "core/listen_spec.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

// What to ask epoll for; a tcp socket that is shut down hangs up, which is reported unasked.
extern const std::uint32_t shut_events;

// Of a socket that takes connections.
bool is_shut(int fd);

// Makes it listen where it listened before: all who hold it can accept again. What waited in its queue was
// reset by the kernel and is lost. False: a unix socket, which stays shut for ever. Throws ListenError.
bool listen_again(int fd, const SocketAddress& where, const ListenOptions& options, const std::string& address);

}  // namespace graced
