#include "client/history_text.h"

#include "client/event_text.h"

namespace graced {

std::string history_text(const std::vector<InstanceEvent>& events, bool colour) {
  std::string text;
  for (const InstanceEvent& e : events) text += event_text(e, "", colour);
  return text;
}

}  // namespace graced
