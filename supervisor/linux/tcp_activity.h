// Is anything going on on a TCP connection? Judged by what the kernel counts.
#pragma once

#include "core/time.h"

struct tcp_info;  // <linux/tcp.h>

namespace graced {

enum class Activity {
  busy,    // something is on its way, or the last word was the client's
  idle,    // the last word was the worker's, and has arrived
  unsure,  // the last word of both was within the same tick of the kernel's clock
};

struct TcpActivity {
  Activity activity;
  Duration quiet;  // since anything came or went; to a tick of the kernel, 1 to 10 ms
};

// `state` is TCP_ESTABLISHED or another; `unread` and `unacknowledged` are bytes.
TcpActivity activity_of(unsigned state, unsigned unread, unsigned unacknowledged, const tcp_info& info);

// The same of a socket that we have a descriptor of.
TcpActivity activity_of(int fd);

}  // namespace graced
