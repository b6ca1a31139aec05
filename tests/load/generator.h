// Asks and counts: one thread, one epoll, any number of clients.
#pragma once

#include <cstdint>
#include <deque>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "linux/base/fd.h"
#include "options.h"
#include "reply.h"
#include "tally.h"
#include "target.h"

namespace load {

class Generator {
 public:
  // stop: becomes readable when it shall end.
  Generator(const Options& options, Target target, graced::Fd stop);

  // Returns once every request begun is answered or counted as failed.
  void run();

  const Tally& tally() const { return tally_; }
  std::string json() const { return tally_.json(now_, ended_by_); }
  std::string human() const { return tally_.human(now_); }

 private:
  // One that asks, waits for the answer, and rests until it is its turn again. Its connection may
  // live on while it rests.
  enum class Doing { resting, retrying, connecting, asking };
  struct Client {
    graced::Fd fd;
    Doing doing = Doing::resting;
    Reply reply;
    Instant due;                   // when its request should have been sent: latency counts from here
    std::uint32_t request = 0;     // counts this client's requests…
    std::uint32_t connection = 0;  // …and its connections, so that what is stale is known as such
    std::size_t sent = 0;
    bool reused = false;  // the connection has answered before
    int broken = 0;       // what sending failed with; there may be an answer to read all the same
  };
  struct Turn {
    Instant when;
    std::size_t client;
    friend bool operator>(const Turn& a, const Turn& b) { return a.when > b.when; }
  };
  struct Limit {
    Instant when;
    std::size_t client;
    std::uint32_t request;
  };

  void end(std::string_view why);
  void issue();
  void begin(std::size_t index, Instant due);
  void connect(std::size_t index);
  void became_connected(std::size_t index);
  void on_event(std::uint64_t data);
  void send(std::size_t index);
  void receive(std::size_t index);
  void finish(std::size_t index);
  void fail(std::size_t index, Failure kind);
  void fail_connecting(std::size_t index, int error);
  void fail_broken(std::size_t index, bool reset);
  void rest(std::size_t index, Duration how_long);
  void expire();
  Instant next_deadline() const;
  void arm(Instant when);

  Options options_;
  Target target_;
  graced::Fd stop_;
  graced::Fd epoll_;
  graced::Fd timer_;
  std::string question_;

  Instant now_;
  Instant start_ = now_;
  Tally tally_;
  Instant end_;                // no request is due after it
  Instant give_up_;            // what is overdue then stays unasked
  std::string_view ended_by_;  // empty: not yet
  Instant armed_;

  std::vector<Client> clients_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> resting_;
  std::deque<Turn> retries_;     // connects refused for now by a full queue
  std::deque<Limit> limits_;     // in order, as the timeout is one for all
  std::deque<Instant> overdue_;  // open loop: due, but every client is busy
  std::uint64_t issued_ = 0;
  std::size_t outstanding_ = 0;
};

}  // namespace load
