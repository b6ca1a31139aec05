#include "exporter/look.h"

#include <algorithm>

namespace graced {

std::string_view to_text(ObservedInstance::Answer answer) {
  switch (answer) {
    case ObservedInstance::Answer::told:
      return "told";
    case ObservedInstance::Answer::silent:
      return "silent";
    case ObservedInstance::Answer::refused:
      return "refused";
    case ObservedInstance::Answer::gone:
      return "gone";
  }
  return "";
}

const Seen* Look::find(std::string_view name) const {
  const auto found = std::ranges::find(instances, name, &Seen::name);
  return found == instances.end() ? nullptr : &*found;
}

}  // namespace graced
