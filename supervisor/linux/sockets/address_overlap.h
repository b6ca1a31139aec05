// Two addresses that the kernel lets no two sockets listen on, unless both ask for SO_REUSEPORT: one of them is
// a wildcard that includes the other, or they are the same, one of them perhaps written as the other
// family has it (::ffff:127.0.0.1).
#pragma once

namespace graced {

struct SocketAddress;

// One that is bound, and one that is about to be bound to `where`, both of TCP.
bool overlaps(int bound, int fd, const SocketAddress& where);

}  // namespace graced
