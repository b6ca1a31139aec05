// See tcp_activity.h.
//
// Times are in ticks, 4 ms as a rule. A fast worker answers within the tick of the request; so does a
// client that has the next request at hand, and then the worker may be at it for seconds. By the times
// these two look alike. What tells them apart is the acknowledgement of the answer: a client that has
// nothing else to say sends it on its own, one that has sends it along with the request.
#include "linux/tcp_activity.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

namespace graced {
namespace {

constexpr unsigned established = 1;  // TCP_ESTABLISHED, which is in neither of the kernel's headers

// Later than this it is the answer to a keep-alive probe and says nothing of what came before.
constexpr std::uint32_t latest_acknowledgement_ms = 900;

Activity activity_by_words(const tcp_info& info) {
  const std::uint32_t sent_ago = info.tcpi_last_data_sent;
  const std::uint32_t came_ago = info.tcpi_last_data_recv;
  const bool something_came = info.tcpi_bytes_received > 0;
  const bool something_sent = info.tcpi_bytes_sent > 0;

  // A new connection: both times are that of the handshake.
  if (!something_came) return Activity::idle;
  if (!something_sent) return Activity::busy;
  if (sent_ago != came_ago) return sent_ago < came_ago ? Activity::idle : Activity::busy;

  // An acknowledgement on its own, a tick or more after the last request.
  const std::uint32_t acknowledged_ago = info.tcpi_last_ack_recv;
  if (acknowledged_ago < came_ago && came_ago - acknowledged_ago <= latest_acknowledgement_ms)
    return Activity::idle;

  // So many on their own that the last segment of the answer must have had one; the handshake's is none.
  const std::uint32_t on_their_own = info.tcpi_segs_in - info.tcpi_data_segs_in;
  return on_their_own > info.tcpi_data_segs_out ? Activity::idle : Activity::unsure;
}

}  // namespace

TcpActivity activity_of(unsigned state, unsigned unread, unsigned unacknowledged, const tcp_info& info) {
  const auto quiet = std::chrono::milliseconds(std::min(info.tcpi_last_data_sent, info.tcpi_last_data_recv));
  if (state != established || unread > 0 || unacknowledged > 0) return {Activity::busy, quiet};
  return {activity_by_words(info), quiet};
}

TcpActivity activity_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  int unacknowledged = 0;
  // What is unread is asked last: nothing that came before goes unseen.
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || ::ioctl(fd, SIOCOUTQ, &unacknowledged) < 0 ||
      ::ioctl(fd, SIOCINQ, &unread) < 0) {
    return {Activity::busy, Duration::zero()};
  }
  return activity_of(info.tcpi_state, static_cast<unsigned>(unread), static_cast<unsigned>(unacknowledged),
                     info);
}

}  // namespace graced
