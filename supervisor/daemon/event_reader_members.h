// What has happened to the instance and who asked for it, as one image of graced hands it to the next.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/event_readers.h"
#include "daemon/instance_events.h"
#include "state/event_members.h"
#include "state/members.h"
#include "state/words.h"

namespace graced {

template <>
struct Members<InstanceEvents::Candidate> {
  using Candidate = InstanceEvents::Candidate;
  static constexpr std::tuple all{
      Named{"generation", &Candidate::generation}, Named{"by", &Candidate::by},
      Named{"began", &Candidate::began},           Named{"checked", &Candidate::checked},
      Named{"started", &Candidate::started},       Named{"probed", &Candidate::probed},
      Named{"shared", &Candidate::shared},         Named{"ready", &Candidate::ready},
  };
};

template <>
struct Members<InstanceEvents::Kept> {
  using Kept = InstanceEvents::Kept;
  static constexpr std::tuple all{
      Named{"asker", &Kept::asker},
      Named{"next", &Kept::next},
      Named{"by", &Kept::by},
      Named{"candidate", &Kept::candidate},
      Named{"ended", &Kept::ended},
      Named{"failed-start", &Kept::failed_start},
      Named{"why-failed", &Kept::why_failed},
      Named{"draining", &Kept::draining},
      Named{"phase", &Kept::phase},
  };
};

template <>
struct Members<EventReaders::Kept> {
  using Kept = EventReaders::Kept;
  static constexpr std::tuple all{Named{"history", &Kept::history}, Named{"events", &Kept::events},
                                  Named{"forgotten", &Kept::forgotten}};
};

}  // namespace graced
