// Is anything going on on a TCP connection? Judged by what the kernel counts.
#pragma once

#include <cstdint>

#include "core/members.h"
#include "core/time.h"

struct tcp_info;  // <linux/tcp.h>

namespace graced {

enum class Activity {
  busy,    // something is on its way, or the last word was the client's
  idle,    // the last word was the worker's, and has arrived; or nothing was ever said
  unsure,  // the last word of both was within the same tick of the kernel's clock
};

struct TcpActivity {
  Activity activity;
  Duration quiet;               // since anything came or went; to a tick of the kernel, 1 to 10 ms
  std::uint32_t words = 0;      // segments with data that have come
  std::uint32_t bare_acks = 0;  // segments we have sent with nothing but an acknowledgement
};

// Whether it has been idle for so long by now; `since`: how long ago the activity was seen. One of which it
// cannot be told whether it is idle has to be quiet for thirty times as long, and 30 s at least.
bool is_idle_for(Duration duration, const TcpActivity& seen, Duration since = Duration::zero());

// What an earlier look tells of one that is unsure. Kept for each connection.
class ActivityHistory {
 public:
  explicit ActivityHistory(const TcpActivity& first) : words_(first.words), bare_acks_(first.bare_acks) {}

  TcpActivity judge(TcpActivity now);

 private:
  template <class>
  friend struct Members;
  ActivityHistory() = default;

  std::uint32_t words_ = 0;
  std::uint32_t bare_acks_ = 0;
};

struct TcpCounts {
  unsigned state;           // TCP_ESTABLISHED or another
  unsigned unread;          // bytes that the process has not read
  unsigned unacknowledged;  // bytes that have not arrived at the peer
};

// `quick_acks`: the listener it comes from acknowledges first words at once, as is the default, see
// acknowledges_at_once().
TcpActivity activity_of(const TcpCounts& counts, const tcp_info& info, bool quick_acks);

// The same of a connection that we have a descriptor of.
TcpActivity activity_of(int fd, bool quick_acks);

bool acknowledges_at_once(int listening_fd);

}  // namespace graced
