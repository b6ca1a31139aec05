// One pass from brace to brace.
#include "options/option_fd_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace graced {

std::string replace_fd_names(std::string_view text, const std::function<int(std::string_view)>& number_of) {
  constexpr std::string_view opening = "{fd:";

  std::string result;
  for (;;) {
    const auto begin = text.find(opening);
    const auto end = begin == std::string_view::npos ? begin : text.find('}', begin);
    if (end == std::string_view::npos) return result.append(text);
    const auto name = text.substr(begin + opening.size(), end - begin - opening.size());
    result.append(text.substr(0, begin)).append(fmt::format("{}", number_of(name)));
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string> fd_names_used(const RunOptions& options) {
  std::vector<std::string> names;
  const auto remember = [&](std::string_view name) {
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
    return 0;
  };
  for (const auto* texts : {&options.command, &options.environment, &options.check}) {
    for (const auto& text : *texts) replace_fd_names(text, remember);
  }
  return names;
}

}  // namespace graced
