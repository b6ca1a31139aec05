#include "options/hook_option.h"

#include <algorithm>

#include "core/bad_value.h"
#include "core/suggest.h"
#include "options/option_values.h"

namespace graced {

Hook read_hook(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) throw bad("no '=' in it: EVENT=COMMAND is what is wanted");
  std::string_view events = text.substr(0, equals);
  Hook hook;
  for (;;) {
    const auto comma = events.find(',');
    const std::string_view word = events.substr(0, comma);
    const auto kind = instance_event_kind(word);
    if (!kind || !is_remembered(*kind)) {
      const auto known = remembered_event_kinds();
      throw bad("no event is called '{}', they are {}{}", word, in_a_row({known.begin(), known.end()}),
                did_you_mean(word, known));
    }
    if (std::ranges::find(hook.on, *kind) != hook.on.end()) throw bad("'{}' stands there twice", word);
    hook.on.push_back(*kind);
    if (comma == std::string_view::npos) break;
    events.remove_prefix(comma + 1);
  }
  hook.command = read_command(text.substr(equals + 1));
  return hook;
}

}  // namespace graced
