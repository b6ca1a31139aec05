// Listening TCP sockets that get no connection, although they listen: those of a generation before it serves,
// and those of an address that nobody serves any more.
#pragma once

#include <string>

namespace graced {

struct Hidden {
  enum class Way {
    // To the kernel's search it is bound to a network interface that no machine has. So a client is refused as
    // if nobody listened, or reaches a less specific address that somebody else listens on (0.0.0.0 where this
    // one is 127.0.0.1). What is in the queue, or half open, stays. A socket that is bound to no interface
    // needs no privilege for it (Linux 5.7), but CAP_NET_RAW to be shown again.
    unseen,
    // IP_MINTTL is 255, so the kernel drops attempts to connect: a client tries again, for as long as it has
    // patience, and no less specific address is reached meanwhile. Needs no privilege. Packets that are sent
    // with
    // the highest hop limit there is, 255, get through. What is half open is lost: for a socket that does not
    // listen yet.
    drop_new_connections,
  };
  Way way = Way::unseen;
  // What the socket had before, and has again when it is shown.
  int interface = 0;
  int hops_v4 = 0;
  int hops_v6 = 0;
};

// Unseen where graced may show it again.
Hidden::Way way_to_hide_for_a_while();

// The descriptor is borrowed. Before listen(2) nothing gets through. Throws std::system_error naming the step.
Hidden hide(int fd, Hidden::Way way);

// What a person should know where new connections are only dropped; address: "tcp 127.0.0.1:8080".
std::string dropped_note(const std::string& address);

// Throws std::system_error.
void show(int fd, const Hidden& hidden);

bool is_unseen(int fd);

// One that perhaps an earlier graced has hidden, of which no more is known. False: it stays unseen.
bool show_again(int fd);

// The one that the socket is bound to by whoever has made it. 0: to none, or it is unseen.
int interface_of(int fd);

}  // namespace graced
