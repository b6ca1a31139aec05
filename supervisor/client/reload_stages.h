// The stages of a reload that is waited for, on one line of a terminal, which is written anew at each and goes
// away at the end.
#pragma once

#include <string>

#include "client/client.h"
#include "core/instance_event.h"
#include "core/time.h"

namespace graced {

class ReloadStages {
 public:
  // Of the instance of this name. The terminal must be one that rewrites lines.
  ReloadStages(const std::string& name, const Terminal& terminal);
  ReloadStages(const ReloadStages&) = delete;
  ReloadStages& operator=(const ReloadStages&) = delete;
  ~ReloadStages() { clear(); }

  // What happens to the instance; null: time goes on.
  void happened(const InstanceEvent* event);
  void clear();

 private:
  std::string name_;
  const Terminal& terminal_;
  Instant began_;
  std::string stage_;
  bool written_ = false;
};

}  // namespace graced
