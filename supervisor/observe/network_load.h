// What the kernel's lists of sockets tell of the addresses of instances: one look at each list for all of them,
// as a list takes the kernel a walk through all sockets of the network.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "observe/observed_instance.h"

namespace graced {

// The sockets that were accepted at the addresses of one instance, by inode.
using AcceptedSockets = std::unordered_set<ino_t>;

// Fills in what is known of the addresses of those that have told and are in our network. Returns the accepted
// sockets of each, in the order of `instances`. A list that this kernel does not have leaves its part unknown.
std::vector<AcceptedSockets> look_at_network(std::vector<ObservedInstance>& instances);

}  // namespace graced
