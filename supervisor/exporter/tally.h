// What has happened to one instance since it was first looked at, counted from its history, which forgets: each
// entry once, and it is told where some may have been missed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instance_event.h"
#include "core/time.h"
#include "exporter/role_count.h"
#include "linux/control/control_report.h"
#include "observe/observed_instance.h"

namespace graced {

// Why a reload failed, in few words, so that nothing grows with what workers say.
enum class FailureClass : std::uint8_t {
  prepare,  // options, addresses
  check,    // --check
  start,    // it ended before it was ready
  late,     // not ready in time
  probe,    // --probe
  canary,   // while it was given a share of connections
  aborted,  // graced abort, or a stop
};
inline constexpr std::size_t failure_classes = 7;
std::string_view to_text(FailureClass);
FailureClass failure_class(const InstanceEvent& failed);

// How long something took, as Prometheus counts it.
struct DurationHistogram {
  static constexpr std::array<double, 10> bounds{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};  // seconds
  std::array<std::uint64_t, bounds.size()> at_most{};                                          // cumulative
  std::uint64_t count = 0;
  double sum = 0;  // seconds

  void add(Duration took);
};

// Whom a generation is: labels have these few values, since numbers of generations have no end.
std::string_view role_of(const InstanceReport& report, std::uint64_t generation);
inline constexpr std::array<std::string_view, 4> roles{"serving", "candidate", "standby", "draining"};

class Tally {
 public:
  // Counts what is new in the history since the last time, and returns how much that is. known_from: what
  // happened before is not counted the first time, since nobody knows how much of it an earlier exporter has
  // told. Another graced in its place (pid) begins a history of its own.
  std::size_t take(const std::vector<InstanceEvent>& history, std::int32_t pid, Instant known_from);

  // CPU time of a generation is counted for what it is while it runs, and so are its datagrams, which are in
  // the report.
  void take_cpu(const InstanceReport& report, const std::map<std::uint64_t, Duration>& cpu);
  void take_datagrams(const InstanceReport& report);

  // What had no room at an address is counted while its sockets are there: the kernel counts for each socket,
  // and those of a generation that leaves take what they have counted with them.
  void take_drops(const std::vector<AddressLoad>& addresses);

  const std::array<std::uint64_t, failure_classes>& failures() const { return failures_; }
  std::uint64_t hammered() const { return hammered_; }  // workers
  std::uint64_t crashes() const { return crashes_; }    // of serving workers
  std::uint64_t gaps() const { return gaps_; }          // how often the history had forgotten some of it
  // Of reloads that went well, by stage: "total", "prepare", "check", "start", "probe", "canary".
  const std::map<std::string_view, DurationHistogram>& durations() const { return durations_; }
  const std::map<std::string_view, Duration>& cpu() const { return cpu_.by_role(); }
  const std::map<std::string_view, std::uint64_t>& datagrams() const { return datagrams_.by_role(); }
  // Of an address whose sockets can be seen.
  std::optional<std::uint64_t> drops(const std::string& address) const;

 private:
  struct Drops {
    std::uint64_t told;   // by the kernel, the last time
    std::uint64_t count;  // since the first time
  };

  void count(const InstanceEvent& entry);

  std::int32_t pid_ = 0;          // 0: not looked at yet
  Instant seen_{};                // moment of the last event that was counted
  std::ptrdiff_t seen_then_ = 0;  // how many were counted of that moment
  std::array<std::uint64_t, failure_classes> failures_{};
  std::uint64_t hammered_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t gaps_ = 0;
  std::map<std::string_view, DurationHistogram> durations_{{"total", {}}, {"prepare", {}}, {"check", {}},
                                                           {"start", {}}, {"probe", {}},   {"canary", {}}};
  RoleCount<Duration> cpu_;
  RoleCount<std::uint64_t> datagrams_;
  std::map<std::string, Drops> drops_;  // by address
};

}  // namespace graced
