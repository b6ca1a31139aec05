#include "state/output_members.h"

#include <algorithm>

namespace graced {

// Another version may keep more of it.
void Members<KeptOutput::Generation>::complete(Generation& g) {
  g.bytes = 0;
  for (const KeptLine& line : g.lines) g.bytes += KeptOutput::size_of(line);
  KeptOutput::shorten(g);
}

std::optional<std::string> Members<KeptOutput::Generation>::flaw(const Generation& g) {
  const auto rises = [](const KeptLine& a, const KeptLine& b) { return a.number >= b.number; };
  if (std::ranges::adjacent_find(g.lines, rises) != g.lines.end())
    return "lines are not in the order of their numbers";
  return std::nullopt;
}

std::optional<std::string> Members<KeptOutput>::flaw(const KeptOutput& k) {
  for (const auto& [_, generation] : k.kept_) {
    if (!generation.lines.empty() && generation.lines.back().number >= k.next_)
      return "a line has a number that is still to come";
  }
  return std::nullopt;
}

void Members<LineBuffer>::complete(LineBuffer& b) {
  while (b.last_.size() > LineBuffer::kept_lines) b.last_.pop_front();
}

std::optional<std::string> Members<LineBuffer>::flaw(const LineBuffer& b) {
  if (b.passed_on_ > b.unfinished_.size()) return "more has been passed on than there is";
  return std::nullopt;
}

}  // namespace graced
