// In either case, with or without the CAP_ in front, as systemd.exec(5) and setpriv(1) write them.
#include "options/capability_list.h"

#include <algorithm>
#include <vector>

#include "core/bad_value.h"
#include "core/suggest.h"
#include "linux/base/capabilities.h"

namespace graced {

std::uint64_t read_capabilities(std::string_view text) {
  std::uint64_t capabilities = 0;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find(',', from), text.size());
    const std::string_view name = text.substr(from, to - from);
    from = to + 1;
    const auto number = capability_number(name);
    if (!number || *number >= 64) {
      const std::vector<std::string> names = capability_names();
      const std::vector<std::string_view> known{names.begin(), names.end()};
      throw bad("no capability '{}'{}", name,
                did_you_mean(name, known, ", as in net_bind_service,sys_nice; see capabilities(7)"));
    }
    capabilities |= std::uint64_t{1} << *number;
  }
  return capabilities;
}

std::string capabilities_text(std::uint64_t capabilities) {
  std::string text;
  for (int number = 0; number < 64; ++number) {
    if ((capabilities >> number & 1) == 0) continue;
    text += (text.empty() ? "" : ",") + capability_name(number);
  }
  return text;
}

}  // namespace graced
