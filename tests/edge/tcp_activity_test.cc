#include "linux/sockets/tcp_activity.h"

#include <doctest/doctest.h>
#include <linux/tcp.h>

using namespace graced;

namespace {

constexpr unsigned established = 1;
constexpr unsigned close_wait = 8;

// Three requests in, answered, all in the same tick; the client's acknowledgements came at once.
tcp_info answered_at_once() {
  tcp_info info{};
  info.tcpi_bytes_received = 30;
  info.tcpi_bytes_sent = 300;
  info.tcpi_last_data_recv = info.tcpi_last_data_sent = info.tcpi_last_ack_recv = 5000;
  info.tcpi_data_segs_in = info.tcpi_data_segs_out = 3;
  info.tcpi_segs_in = 8;
  info.tcpi_segs_out = 4;  // and one for the first request
  return info;
}

Activity judged(const tcp_info& info, bool quick_acks = true) {
  return activity_of({established, 0, 0}, info, quick_acks).activity;
}

}  // namespace

TEST_CASE("whoever spoke last is told by the times, if these differ") {
  tcp_info info = answered_at_once();
  info.tcpi_last_data_recv = 5004;
  CHECK(judged(info) == Activity::idle);
  info.tcpi_last_data_recv = 4996;
  CHECK(judged(info) == Activity::busy);
  CHECK(activity_of({established, 0, 0}, info, true).quiet == 4996ms);
}

TEST_CASE("what is unread, not yet arrived, or closed by the client is busy whatever was said last") {
  tcp_info info = answered_at_once();
  info.tcpi_last_data_recv = 5004;
  CHECK(activity_of({established, 1, 0}, info, true).activity == Activity::busy);
  CHECK(activity_of({established, 0, 1}, info, true).activity == Activity::busy);
  CHECK(activity_of({close_wait, 0, 0}, info, true).activity == Activity::busy);
}

TEST_CASE("a connection on which the client never spoke is idle, one it has no answer on is busy") {
  tcp_info info{};
  info.tcpi_last_data_recv = info.tcpi_last_data_sent = 5000;
  CHECK(judged(info) == Activity::idle);
  info.tcpi_bytes_sent = 20;  // a greeting
  CHECK(judged(info) == Activity::idle);
  info.tcpi_bytes_sent = 0;
  info.tcpi_bytes_received = 20;
  CHECK(judged(info) == Activity::busy);
}

TEST_CASE("within a tick, an answered request has no bare acknowledgement, one that waits has") {
  tcp_info info = answered_at_once();
  CHECK(judged(info) == Activity::idle);
  info.tcpi_segs_out = 5;
  CHECK(judged(info) == Activity::unsure);
  info.tcpi_segs_out = 4;
  info.tcpi_last_data_recv = info.tcpi_last_data_sent = info.tcpi_last_ack_recv = 100;  // it may yet come
  CHECK(judged(info) == Activity::unsure);
}

TEST_CASE("where first words are not acknowledged at once, one bare acknowledgement proves nothing") {
  tcp_info info = answered_at_once();
  CHECK(judged(info, false) == Activity::unsure);
  info.tcpi_options = TCPI_OPT_SYN_DATA;
  CHECK(judged(info) == Activity::unsure);
  info.tcpi_segs_out = 3;
  CHECK(judged(info) == Activity::idle);
}

TEST_CASE("an acknowledgement after the client's last words proves the answer, unless it was for a probe") {
  tcp_info info = answered_at_once();
  info.tcpi_segs_out = 9;
  info.tcpi_last_ack_recv = 4960;
  CHECK(judged(info) == Activity::idle);
  info.tcpi_last_ack_recv = 2000;
  CHECK(judged(info) == Activity::unsure);
}

TEST_CASE("words that came between two looks and got no bare acknowledgement were answered") {
  tcp_info info = answered_at_once();
  info.tcpi_segs_out = 9;
  const TcpActivity first = activity_of({established, 0, 0}, info, true);
  ActivityHistory history(first);
  CHECK(history.judge(first).activity == Activity::unsure);

  info.tcpi_data_segs_in = 4;
  info.tcpi_segs_out = 10;
  info.tcpi_data_segs_out = 4;
  CHECK(history.judge(activity_of({established, 0, 0}, info, true)).activity == Activity::idle);
  CHECK(history.judge(activity_of({established, 0, 0}, info, true)).activity == Activity::idle);

  info.tcpi_data_segs_in = 5;  // the next request, which waits
  info.tcpi_segs_out = 11;
  CHECK(history.judge(activity_of({established, 0, 0}, info, true)).activity == Activity::unsure);
  CHECK(history.judge(activity_of({established, 0, 0}, info, true)).activity == Activity::unsure);
}
