// Who had the last word? Times are in ticks, 4 ms as a rule. A fast worker answers within the tick of the
// request; so does a client that has its next request at hand, and the worker may be at that for
// seconds. By the times these two look alike. What tells them apart are the acknowledgements: words
// that are answered at once are acknowledged by the answer, words that wait for their answer by a segment
// of its own, after 200 ms at the latest. The first words of a client always get one of their own.
#include "linux/sockets/tcp_activity.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "linux/base/socket_option.h"

namespace graced {
namespace {

constexpr unsigned established = 1;  // TCP_ESTABLISHED; <netinet/tcp.h>, which has it, has another tcp_info

// TCP_DELACK_MAX of the kernel, and some ticks.
constexpr std::uint32_t all_acknowledged_ms = 300;

// A client's acknowledgement that is later than this was of a keep-alive probe, and says nothing of what
// came before.
constexpr std::uint32_t latest_acknowledgement_ms = 900;

std::uint32_t bare_acks(const tcp_info& info) {
  return info.tcpi_segs_out - info.tcpi_data_segs_out;
}

Activity last_word(const tcp_info& info, bool quick_acks) {
  const std::uint32_t sent_ago = info.tcpi_last_data_sent;
  const std::uint32_t came_ago = info.tcpi_last_data_recv;
  const std::uint32_t acknowledged_ago = info.tcpi_last_ack_recv;

  // A new connection: both times are that of the handshake.
  if (info.tcpi_bytes_received == 0) return Activity::idle;
  if (info.tcpi_bytes_sent == 0) return Activity::busy;
  if (sent_ago != came_ago) return sent_ago < came_ago ? Activity::idle : Activity::busy;

  // The client has acknowledged something after its last words.
  if (acknowledged_ago < came_ago && came_ago - acknowledged_ago <= latest_acknowledgement_ms)
    return Activity::idle;

  // We have sent no bare acknowledgement, but for the first words. Those of a fast open came with the
  // handshake. (Where the worker speaks first, the first words of a client may still wait for their answer.
  // They are a greeting then, which nobody thinks about for long.)
  const std::uint32_t for_the_first = quick_acks && (info.tcpi_options & TCPI_OPT_SYN_DATA) == 0 ? 1 : 0;
  if (came_ago >= all_acknowledged_ms && bare_acks(info) <= for_the_first) return Activity::idle;
  return Activity::unsure;
}

}  // namespace

TcpActivity activity_of(const TcpCounts& counts, const tcp_info& info, bool quick_acks) {
  const auto quiet = std::chrono::milliseconds(std::min(info.tcpi_last_data_sent, info.tcpi_last_data_recv));
  if (counts.state != established || counts.unread > 0 || counts.unacknowledged > 0)
    return {Activity::busy, quiet, info.tcpi_data_segs_in, bare_acks(info)};
  return {last_word(info, quick_acks), quiet, info.tcpi_data_segs_in, bare_acks(info)};
}

TcpActivity activity_of(int fd, bool quick_acks) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  int unacknowledged = 0;
  // What is unread is asked last: nothing that came before goes unseen.
  // Of an MPTCP connection TCP_INFO tells of one part only.
  if (socket_option(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP ||
      ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || ::ioctl(fd, SIOCOUTQ, &unacknowledged) < 0 ||
      ::ioctl(fd, SIOCINQ, &unread) < 0) {
    return {Activity::busy, Duration::zero()};
  }
  return activity_of({info.tcpi_state, static_cast<unsigned>(unread), static_cast<unsigned>(unacknowledged)},
                     info, quick_acks);
}

bool is_idle_for(Duration duration, const TcpActivity& seen, Duration since) {
  switch (seen.activity) {
    case Activity::busy:
      return false;
    case Activity::idle:
      return seen.quiet + since >= duration;
    case Activity::unsure:
      return seen.quiet + since >= std::max<Duration>(duration < infinity / 30 ? duration * 30 : infinity, 30s);
  }
  return false;
}

// Words have come and no bare acknowledgement went, though they have had the time: they were answered.
TcpActivity ActivityHistory::judge(TcpActivity now) {
  if (now.bare_acks != bare_acks_) {
    *this = ActivityHistory(now);
  } else if (now.activity == Activity::unsure && now.words != words_ &&
             now.quiet >= std::chrono::milliseconds(all_acknowledged_ms)) {
    now.activity = Activity::idle;
  }
  return now;
}

bool acknowledges_at_once(int listening_fd) {
  return socket_option(listening_fd, IPPROTO_TCP, TCP_QUICKACK) > 0;
}

}  // namespace graced
