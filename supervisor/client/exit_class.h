// Why a worker ended by itself, in few words, so that nothing grows with what workers say.
#pragma once

#include <cstdint>
#include <string_view>

#include "linux/control/control_report.h"

namespace graced {

enum class ExitClass : std::uint8_t {
  status,  // it exited with another status than 0
  signal,  // that killed it
  late,    // it was not ready in time
  exec,    // it could not be started
  end,     // it exited with 0, or leaves though nobody has told it to
};

std::string_view to_text(ExitClass);
ExitClass exit_class(const ExitReport& exit);

}  // namespace graced
