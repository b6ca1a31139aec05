// Programs for the kernel: which socket of a SO_REUSEPORT group gets a connection, and which packets a
// connection does not get. The instructions are here, so no loader and no compiler is needed. Everything throws
// std::system_error naming the step.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "linux/base/fd.h"

namespace graced {

inline constexpr unsigned most_choices = 1024;

// What becomes of the connections in the accept queue of a socket that is closed.
enum class Queued {
  migrate,  // to one that the program chooses (Linux 5.14)
  reset,
};

// A REUSEPORT_SOCKARRAY: the sockets that eBPF can choose, by slot. The kernel takes a socket out when
// it is closed, and does not let it into a second array.
Fd make_socket_array(unsigned slots);
void put_into(int array, unsigned slot, int socket);

// A number that programs read, of all of which it is changed in one step.
Fd make_number();
void set_number(int number, unsigned value);

// A probe connects from one of these many ports of this machine, of which the first one can be divided by their
// number. Somebody else's connection that comes from such a port comes from another machine, or to another
// address than it comes from.
inline constexpr unsigned probe_ports = 8;

// Where connections of a probe go, whatever becomes of the others.
struct ProbeChoice {
  std::span<const std::uint16_t> first_ports;  // of each look that is under way, a few
  std::span<const unsigned> choices;  // slots or places; none: the probe is refused, which classic BPF cannot
};

// So many of all new connections go to these instead, at random. Not those of a probe.
struct SharedChoice {
  unsigned per_mille;                 // 1…999
  std::span<const unsigned> choices;  // slots or places, 1 to most_choices
  int counts = -1;                    // of make_counts(), for eBPF; -1: nobody counts
};

// How many connections went where, as programs count them: each when its first packet came, and those that
// migrated.
struct ShareCounts {
  std::uint64_t shared = 0;  // to SharedChoice::choices
  std::uint64_t others = 0;
};
Fd make_counts();
std::optional<ShareCounts> read_counts(int counts);  // none: they cannot be read

// eBPF: one of these slots by the hash of the connection; if that socket is gone, another one of them;
// if all of them are gone, the kernel's own choice. 1 to most_choices.
Fd load_choice(int array, std::span<const unsigned> slots, Queued queued,
               std::span<const ProbeChoice> probes = {}, const SharedChoice* share = nullptr);

// eBPF: the slot that this number says, see make_number(); nobody if no socket is in there. Queues migrate.
Fd load_choice_by_number(int array, int number);

// For the whole group of this socket, in the place of what was attached before, atomically. The group
// keeps the program, the program the array.
void attach_program(int socket, int program);

// Classic BPF, which needs no privilege: one of these sockets at random, by where they stand in the
// kernel's list of the group. A place that does not exist means the kernel's own choice. 1 to most_choices.
void attach_places(int socket, std::span<const unsigned> places, std::span<const ProbeChoice> probes = {},
                   const SharedChoice* share = nullptr);

// Whatever program of a group was attached before, by whomever: the kernel spreads until the next one is.
void detach_choice(int socket);

// Filters on a single socket, each in the place of the one before. The client sends again what they drop.
// On a TCP connection: packets with data are dropped; acknowledgements and the client's end get through. The
// kernel needs some 50 µs for a classic one, and 1 µs for an eBPF program that is loaded once for many.
// On a listening TCP socket: only what comes from these ports of a probe gets through, see ProbeChoice.
void attach_probe_filter(int socket, std::span<const std::uint16_t> first_ports);
void attach_data_dropper(int socket);
Fd load_data_dropper();
void attach_filter(int socket, int program);
bool has_filter(int socket);  // classic or eBPF, by whomever
void detach_filter(int socket);

}  // namespace graced
