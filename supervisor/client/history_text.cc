#include "client/history_text.h"

#include <fmt/format.h>

#include <string>

#include "client/event_text.h"
#include "client/report_text.h"

namespace graced {

std::string history_text(const std::vector<InstanceEvent>& events, bool colour) {
  std::string text;
  for (const InstanceEvent& e : events) {
    const std::string line = event_sentence(e);
    const auto painted = [&](std::string_view code, const std::string& part) {
      return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, part) : part;
    };
    text += fmt::format("{}  {}\n", painted("2", local_time_text(e.at)), e.ok ? line : painted("31", line));
    if (const auto end = e.reason.find('\n'); end != std::string::npos)
      text += printable_lines(std::string_view(e.reason).substr(end + 1), std::string(21, ' ') + "| ");
  }
  return text;
}

}  // namespace graced
