// Whether what a generation runs is still what it was prepared with, told at once, whatever the file system
// does that it lies on.
#pragma once

#include <memory>

#include "daemon/side_record.h"
#include "linux/event/loop.h"
#include "linux/worker/artefact.h"

namespace graced {

class ArtefactLooks {
 public:
  explicit ArtefactLooks(Loop& loop) : asked_(loop) {}

  // Where a file system has to be asked, a process of graced's own does so. One that does not answer for half a
  // second is waited for no longer: then this is what it answered to the last look. `artefact` may not be null.
  Artefact::Look look(const std::shared_ptr<const Artefact>& artefact);

  void give_up() { asked_.give_up(); }

 private:
  void ask(const Artefact& artefact);

  SideRecord asked_;
  std::weak_ptr<const Artefact> of_;  // what was looked at last
  Artefact::Look last_;
};

}  // namespace graced
