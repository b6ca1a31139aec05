// What the kernel answers over netlink, taken apart: messages in a datagram, attributes in a message. Nothing
// here reads a socket; what does not fit into its datagram is not looked at.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "linux/base/sys_error.h"

namespace graced {

// Calls seen(header, message) for each answer to this request. True: that was the last of them. Other
// sequence numbers are of an earlier question that was given up. Throws std::system_error if the answer is
// an error. The datagram must be aligned as nlmsghdr is.
template <class Message, class Seen>
bool read_reply(std::span<const char> datagram, std::uint32_t sequence, bool all, const Seen& seen) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto* const m = reinterpret_cast<const nlmsghdr*>(datagram.data());
    if (m->nlmsg_len < sizeof(nlmsghdr) || m->nlmsg_len > datagram.size()) break;
    // Not NLMSG_NEXT: where the last one is not padded, that would wrap around.
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(m->nlmsg_len), datagram.size()));
    if (m->nlmsg_seq != sequence) continue;
    if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
      int code = 0;
      if (m->nlmsg_len >= NLMSG_SPACE(sizeof code)) std::memcpy(&code, NLMSG_DATA(m), sizeof code);
      constexpr int last_errno = 4095;  // MAX_ERRNO
      if (code < 0) throw sys_error_of(std::max(code, -last_errno), "sock_diag");
      return true;
    }
    if (m->nlmsg_len >= NLMSG_SPACE(sizeof(Message))) seen(m, *static_cast<const Message*>(NLMSG_DATA(m)));
    if (!all) return true;
  }
  return false;
}

// Of a message that read_reply has passed: each(type, data, size).
template <class Message, class Each>
void each_attribute(const nlmsghdr* header, const Each& each) {
  const auto* const message = static_cast<const Message*>(NLMSG_DATA(header));
  const auto* attribute = reinterpret_cast<const rtattr*>(message + 1);
  for (auto left = static_cast<int>(header->nlmsg_len - NLMSG_SPACE(sizeof(Message))); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    each(attribute->rta_type, static_cast<const char*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute));
  }
}

}  // namespace graced
