#include "daemon/departed.h"

namespace graced {

std::string reason_of(const Exit& exit, const Departed* departed) {
  std::string why = exit.how;
  if (!departed) return why;
  for (const std::string& line : departed->last_lines) why += "\n" + line;
  return why;
}

}  // namespace graced
