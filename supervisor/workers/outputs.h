// What one process below graced writes, on its way through graced where that is watched.
#pragma once

#include <string>
#include <vector>

#include "workers/output_watch.h"

namespace graced {

struct Outputs {
  WatchedOutput* out = nullptr;  // null: stdout is inherited
  WatchedOutput* err = nullptr;  // null: stderr is inherited

  // See OutputWatch.
  void drain() const;
  void release();

  // Of stdout and stderr, see last_words().
  std::vector<std::string> last_words() const;
};

}  // namespace graced
