// Programs that choose a socket of a SO_REUSEPORT group for each datagram. Who has sent from where to where is
// a flow: it goes on reaching the socket that its first datagram has reached. Everything throws
// std::system_error naming the step.
#pragma once

#include <cstdint>
#include <span>

#include "core/time.h"
#include "linux/base/fd.h"

namespace graced {

// What the program and graced know of a slot, which is one socket's.
struct FlowSlot {
  std::uint32_t serial = 0;  // of the socket whose flows they are; 0: of nobody's, so they go to another socket
  std::uint32_t unused = 0;
  std::uint64_t last = 0;       // when a datagram came, in nanoseconds of CLOCK_MONOTONIC; 0: none has
  std::uint64_t datagrams = 0;  // that have come
};

// What is remembered of a flow, by the kernel's hash of its two addresses and ports.
struct Flow {
  std::uint32_t slot = 0;
  std::uint32_t serial = 0;  // of the slot, when it began
  std::uint64_t last = 0;    // as above
};

Fd make_flow_slots(unsigned slots);  // each is one of FlowSlot
Fd make_flows(unsigned most);        // the one that was silent for longest makes room for the next

struct FlowMaps {
  int sockets;  // see make_socket_array()
  int slots;
  int flows;  // -1: none is remembered
};

// A datagram of a flow that was heard within `timeout` goes where that went; any other to one of these slots,
// by its hash. If that socket is gone the kernel chooses. 1 to most_choices.
Fd load_flow_choice(const FlowMaps& maps, std::span<const unsigned> slots, Duration timeout);

// Classic BPF, which remembers nothing: one of these places by the sender's address and port, so that all of a
// flow reach the same as long as the places do not change. See attach_places().
void attach_places_by_sender(int socket, std::span<const unsigned> places);

}  // namespace graced
