// One socket on its way to be listened on: made, given its options, bound; and what it is asked later.
// Everything here throws ListenError.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/listen_spec.h"
#include "linux/base/fd.h"
#include "linux/sockets/socket_address.h"

namespace graced {

int socket_type(AddressKind kind);    // SOCK_STREAM, …
bool takes_connections(AddressKind);  // needs listen(2)
bool is_listening(int fd);            // listen(2) was called on it

// CLOEXEC, and O_NONBLOCK if the options ask for it: only then, as with systemd's NonBlocking=. The
// flag belongs to everybody who holds the socket, so it is set here once and never again.
Fd make_socket(int family, const ListenSpec& spec);

// All options but those that make sense only before bind(2), which set_options_to_bind knows.
void set_options(int fd, const ListenOptions& options, const std::string& address);
void set_options_to_bind(int fd, const SocketAddress& where, const ListenSpec& spec);

// Those of set_options() that are not at their default, buffers left out, with any value.
ListenOptions options_set(int fd);

// A tcp or udp socket, ready: bound and listening. `bound` is called in between.
Fd open_ip_socket(const SocketAddress& where, const ListenSpec& spec,
                  const std::function<void(int fd)>& bound = {});

// The same for udp, with SO_REUSEPORT: the next generation's can be bound there as well. Nobody else's can be
// there before.
Fd open_shared_udp_socket(const SocketAddress& where, const ListenSpec& spec);

// Throws what open_ip_socket() would throw, also where one of `before` is in the way, which came of earlier
// calls. Nobody can reach the socket: it does not listen, and of datagrams none gets lost in it.
Fd try_ip_socket(const SocketAddress& where, const ListenSpec& spec, const std::vector<Fd>& before);

// Another one on the address that `other` is bound to; both must have SO_REUSEPORT, which this one gets.
Fd open_ip_socket_again(int other, const ListenSpec& spec);

// Others may bind its address at once, though it may be open elsewhere for a while. Only for a socket that
// nobody accepts from any more.
void stop_listening(int fd);

// listen(2); may be called again with another backlog.
void start_listening(int fd, const ListenOptions& options, const std::string& address);

// AddressKind::inherited stands for a family or type that graced does not open itself (vsock, …).
// Throws if it is no socket: "fd:5: descriptor 5 is not a socket".
AddressKind socket_kind(int fd, const std::string& address);

}  // namespace graced
