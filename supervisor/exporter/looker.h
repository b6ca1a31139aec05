// Looks at all instances: asks each for its report and its history, all at once, and counts what is new.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "core/time.h"
#include "exporter/look.h"
#include "linux/control/control_places.h"

namespace graced {

class Looker {
 public:
  // controls: sockets that lie in none of the usual places. limit: how long one look may take. secrets: last
  // words and command lines are kept, where this user may see them at all.
  Looker(ControlPlaces places, std::vector<std::string> controls, Duration limit, bool secrets);

  // Waits for those that do not answer, at most the limit in all. Once half have answered the others get a few
  // times as long as those took, and a moment at least; those that did not answer the last time either get a
  // moment only.
  LookPointer look();

 private:
  struct Known {
    std::string name{};  // as it called itself
    bool hung = false;   // it did not answer the last time
    Tally tally{};
    Sightings sightings{};
  };
  std::vector<Found> find() const;
  std::vector<Seen> read_reports(Instant end);
  void observe_into(std::vector<Seen>& seen, const std::vector<Found>& which, Duration most);
  void name_all(std::vector<Seen>& seen);
  void read_histories(Look& look, Instant end);

  ControlPlaces places_;
  std::vector<std::string> controls_;
  Duration limit_;
  bool secrets_;
  Instant began_;
  std::map<std::string, Known> known_;  // by path of the socket
};

}  // namespace graced
