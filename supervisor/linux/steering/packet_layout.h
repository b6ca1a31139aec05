// Where programs look in a packet: both kinds of them, for the same things.
#pragma once

#include <cstdint>

#include "linux/steering/bpf_program.h"

namespace graced {

// What a random number is divided by, and compared with a share.
inline constexpr unsigned whole_share = 1000;

inline constexpr std::uint32_t probe_port_mask = 0xffff & ~(probe_ports - 1);

// Where the two addresses of a packet are, from its IP header on.
inline constexpr int v4_addresses_at = 12;
inline constexpr int v6_addresses_at = 8;
inline constexpr int v6_header_length = 40;
inline constexpr int loopback_network =
    127;  // of which the kernel connects from another address than it connects to

// The packet is as long as its TCP header, whose length in words of four bytes is the upper half of byte 12.
inline constexpr int header_length_at = 12;
inline constexpr int upper_half = 0xf0;

}  // namespace graced
