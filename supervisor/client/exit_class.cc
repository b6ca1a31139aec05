#include "client/exit_class.h"

namespace graced {

std::string_view to_text(ExitClass why) {
  switch (why) {
    case ExitClass::status:
      return "status";
    case ExitClass::signal:
      return "signal";
    case ExitClass::late:
      return "late";
    case ExitClass::exec:
      return "exec";
    case ExitClass::end:
      return "end";
  }
  return "";
}

// One that is late is killed for it.
ExitClass exit_class(const ExitReport& exit) {
  if (exit.how.starts_with("was not ready")) return ExitClass::late;
  if (!exit.signal.empty()) return ExitClass::signal;
  if (exit.pid == 0) return ExitClass::exec;
  return exit.status.value_or(0) != 0 ? ExitClass::status : ExitClass::end;
}

}  // namespace graced
