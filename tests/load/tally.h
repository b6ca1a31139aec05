// What is counted: every request ends as answered or as exactly one kind of failure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"

namespace load {

enum class Failure {
  refused,       // nobody listens
  reset,         // on a new connection, before any byte of the answer
  eof,           // the same, closed in good order
  reused_reset,  // on a connection that had answered before
  reused_eof,    // soft: keep-alive connections may be closed, and HTTP lets clients try again
  partial,       // reset or closed in the middle of an answer
  timeout,
  http,   // not HTTP, or a status other than 2xx
  body,   // not what --expect says
  local,  // this side ran out of ports or descriptors: the measurement is worth nothing
};
inline constexpr std::size_t failure_kinds = 10;
std::string_view to_text(Failure);

// Latencies in 128 steps for each doubling: within 1 %, in constant memory.
class Histogram {
 public:
  void add(Duration latency);
  Duration percentile(double p) const;  // 0…100; zero if nothing was added
  Duration max() const { return max_; }
  Duration mean() const;
  std::uint64_t count() const { return count_; }

 private:
  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(58 * 128);
  std::uint64_t count_ = 0;
  Duration sum_{};
  Duration max_{};
};

// A process that said "pid N generation G" at the beginning of its answers.
struct Answerer {
  std::int64_t pid;
  std::int64_t generation;  // -1: it did not say
  Instant first;
  Instant last;
  std::uint64_t answers;
};

class Tally {
 public:
  explicit Tally(Instant start) : start_(start) {}

  // Returns the process that answered if this was its first time.
  const Answerer* answered(Duration latency, std::string_view body, Instant now);
  void failed(Failure, Instant now);
  void connected() { ++connections_; }
  // Was due, but it all ended before anybody was free to ask: no failure of the server's that is not counted
  // yet.
  void unasked() { ++unasked_; }

  std::uint64_t answers() const { return latency_.count(); }
  std::uint64_t failures() const;  // all but the soft ones
  std::string json(Instant end, std::string_view ended_by) const;
  std::string human(Instant end) const;

 private:
  Instant start_;
  Histogram latency_;
  std::array<std::uint64_t, failure_kinds> failures_{};
  std::optional<Instant> first_failure_;
  std::uint64_t connections_ = 0;
  std::uint64_t unasked_ = 0;
  std::vector<Answerer> answerers_;  // in the order of their first answer
};

}  // namespace load
