// Whether a socket is a member of a multicast group: then a copy of what is sent there reaches it, whatever
// else is bound to its address.
#pragma once

namespace graced {

// Of the groups that /proc/net/igmp and igmp6 name, in graced's own network. False where that cannot be told.
bool hears_multicast(int fd);

}  // namespace graced
