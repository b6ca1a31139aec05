#include "linux/proc/own_ends.h"

#include <algorithm>

namespace graced {
namespace {

constexpr std::array<std::uint8_t, 13> loopback_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
constexpr std::array<std::uint8_t, 16> loopback_v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

}  // namespace

// The kernel connects a machine to one of its own addresses from that address, or from one of the loopback.
bool OwnEnds::possible(const Endpoint& accepted, const Endpoint& peer) {
  return peer.ip == accepted.ip || peer.ip == loopback_v6 ||
         std::equal(loopback_v4.begin(), loopback_v4.end(), peer.ip.begin());
}

}  // namespace graced
