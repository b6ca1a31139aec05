// What happens in all instances of this machine, or in some of them, as it comes: in those that run, in those
// that start later, and in one that comes again.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/instance_event.h"
#include "linux/base/file_id.h"
#include "linux/control/control_places.h"
#include "linux/control/control_subscription.h"

namespace graced {

class ControlFollower {
 public:
  struct Whom {
    std::vector<std::string> names{};      // empty: all
    std::optional<std::string> control{};  // the path of one socket, instead of those in the usual places
    std::vector<std::string> also{};       // paths of more, beside those
  };
  // since: what happened after then, by CLOCK_MONOTONIC, is told.
  ControlFollower(ControlPlaces places, Whom whom, Instant since);

  // output: may be nullptr. The next ones, in the order in which they came; none once that time has come, or
  // nobody reads from `output` any more. Throws std::runtime_error if there is no libsystemd.
  std::vector<InstanceEvent> wait(Instant until, std::FILE* output);
  bool is_read() const { return read_; }  // output is

  // Those that are of a version that tells no events, each once.
  std::vector<std::string> take_silent() { return std::exchange(silent_, {}); }

 private:
  struct Followed {
    std::string name;  // its own, or that of its directory until it has told that
    std::string directory;
    std::string control;
    FileId socket;
    Instant since;
    Instant not_before{};                                 // to be asked again
    std::unique_ptr<ControlSubscription> subscription{};  // none: it is not followed, or not now
    bool moved = false;                                   // when it was followed the last time
    bool told = false;                                    // that it was found
    bool missed = false;                                  // events, so that it is told again
    bool not_meant = false;
  };

  void look_around();  // for others, now and then
  void advance(Followed& followed, std::vector<InstanceEvent>& news);
  static void missed(Followed& followed, std::vector<InstanceEvent>& news);
  static void tell(Followed& followed, InstanceEvent::Kind kind, std::vector<InstanceEvent>& news);
  bool is_meant(const Followed& followed) const;

  ControlPlaces places_;
  Whom whom_;
  Instant since_;
  Instant next_look_{};
  std::vector<Followed> all_;
  std::vector<std::string> silent_;
  bool read_ = true;
};

}  // namespace graced
