// What is left of a worker that has ended by itself.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "core/exit.h"
#include "core/id.h"
#include "core/time.h"

namespace graced {

struct Departed {
  pid_t pid = 0;
  Duration lived{};
  std::vector<std::string> last_lines{};
};

// Null: nothing is known, for it was never started.
using FindDeparted = std::function<const Departed*(WorkerId)>;

// How it ended, and below that its last words; may be null.
std::string reason_of(const Exit& exit, const Departed* departed);

}  // namespace graced
