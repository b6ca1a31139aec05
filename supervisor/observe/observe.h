// A look at instances: one question to each over its control socket, which wakes it, and what the kernel tells.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "linux/base/file_id.h"
#include "linux/control/control_places.h"
#include "linux/control/control_round.h"
#include "observe/observed_instance.h"

namespace graced {

struct Looking {
  // How long to wait for one that gives no sign of life; all are waited for together.
  Duration patience = 2s;
  Stragglers stragglers = Stragglers::leave;
  Duration moment = a_moment;  // before stragglers are left, at least
  bool supervisor = false;     // memory and descriptors of graced itself, which cost more than all else here
};

// Each of them, in their order. Throws std::runtime_error if there is no libsystemd.
std::vector<ObservedInstance> observe(const std::vector<Found>& instances, const Looking& = {});

// Which instances there are, again and again, without waking any: a socket that is bound to the file of a
// control socket is in the kernel's list. One that is not, as its graced is in another network, or has crashed,
// is connected to when its file is first seen.
class PresentInstances {
 public:
  explicit PresentInstances(ControlPlaces places) : places_(std::move(places)) {}

  const ControlPlaces& places() const { return places_; }
  std::vector<Found> look();  // sorted by name; `live` ones only

  // Found out by asking: nobody is there. Its file is not believed any more.
  void is_gone(const std::string& control);

 private:
  ControlPlaces places_;
  std::map<std::string, std::pair<FileId, bool>>
      connected_to_;  // by path of the socket: its file, and whether it was live
};

}  // namespace graced
