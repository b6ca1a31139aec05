// graced replaced by another image of itself, as this instance has it: who may ask, what that waits for, who is
// told, and what came of it since graced began.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/instance_event.h"
#include "core/time.h"
#include "daemon/addresses.h"
#include "daemon/announcer.h"
#include "daemon/event_pump.h"
#include "daemon/event_readers.h"
#include "daemon/examination.h"
#include "daemon/log.h"
#include "daemon/planner.h"
#include "daemon/upgrade.h"
#include "handoff/ready_watch.h"
#include "linux/control/control_report.h"
#include "linux/event/loop.h"

namespace graced {

class Upgrading {
 public:
  // Borrowed.
  struct Others {
    Loop& loop;
    Log& log;
    EventPump& pump;
    const Planner& planner;
    const Examination& examination;
    const Addresses& addresses;
    const ReadyWatch& ready;
    Announcer& announcer;
    EventReaders& readers;
  };
  // succession: what the other image gets, as it is now; kept() is part of it.
  Upgrading(Others others, std::function<Succession()> succession);

  // The asker is answered, or finds what came of it by his token. by: to show.
  void asked(RequestId to, UpgradeRequest request, const std::string& by);

  // After each event: what was in the way may be gone, or graced stops, and then there is none.
  void look_soon();

  // A trial has duplicates of what this process has open: it is gone when this returns. Another one follows.
  void call_off_trial();

  // Whoever reaps graced's children tells of each. False: it was none of this one's.
  bool ended(const ChildExit& child) { return upgrade_.ended(child); }

  void add_to(InstanceReport& report, Instant now) const;

  // What another image of this process takes over, see linux/upgrade. Where the state is written for one, this
  // has what comes of it if all goes well.
  struct Kept {
    std::optional<UpgradeOutcome> last{};
    std::optional<Instant> last_at{};
    std::string upgraded_from{};  // version of the image before; empty: none was
    std::optional<Instant> upgraded_at{};
    std::uint64_t upgrades = 0;
    std::uint64_t failed = 0;
    Asker by{};           // of the last one
    std::string image{};  // of the one that is under way: the path
    bool untold = false;  // what came of the last one is to be told by who takes over
  };
  Kept kept() const;
  void take_over(Kept kept) { so_far_ = std::move(kept); }

  // Once this image attends: what came of the upgrade by which it was made, or called back.
  void tell();

 private:
  struct Asked {
    RequestId to;
    UpgradeRequest request;
    Asker by;
  };

  std::string in_the_way() const;
  std::string worker_in_the_way() const;
  std::string process_in_the_way() const;
  void begin();
  bool leaves();
  void look();
  void refuse(const Asked& asked, const std::string& why);
  void came_of_it(const UpgradeOutcome& outcome);
  void tell_of_failure(const std::string& why);
  bool stops() const;

  Others o_;
  Upgrade upgrade_;
  Kept so_far_;
  std::optional<Asked> asked_;
  bool begun_ = false;  // asked_ was, so upgrade_ has it
  Source look_;
};

// Before a Daemon is made of a state that was written for an exec. why_back: what the other image did, so that
// this one, which was there before, goes on; empty: this is the other one.
void came_of(Upgrading::Kept& kept, std::string_view version, const std::string& why_back);

}  // namespace graced
