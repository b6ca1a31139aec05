#include "core/kept_output.h"

#include <algorithm>

namespace graced {

void KeptOutput::add(std::chrono::system_clock::time_point at, const Speaker& by, const LinePiece& said) {
  const auto found = by.generation ? kept_.find(*by.generation) : kept_.end();
  if (found == kept_.end()) return;
  Generation& generation = found->second;
  generation.lines.push_back({next_++, at, by, said});
  generation.bytes += size_of(generation.lines.back());
  shorten(generation);
}

void KeptOutput::shorten(Generation& generation) {
  while (generation.bytes > most) {
    generation.bytes -= size_of(generation.lines.front());
    generation.lines.pop_front();
  }
}

void KeptOutput::forget_unless(const std::function<bool(std::uint64_t)>& lives) {
  std::erase_if(kept_, [&](const auto& g) { return g.first != failed_ && !lives(g.first); });
}

std::vector<KeptLine> KeptOutput::since(std::uint64_t number, std::size_t bytes) const {
  struct Rest {
    std::deque<KeptLine>::const_iterator at, end;
  };
  std::vector<Rest> rests;
  for (const auto& [_, generation] : kept_) {
    const auto from = std::ranges::lower_bound(generation.lines, number, {}, &KeptLine::number);
    if (from != generation.lines.end()) rests.push_back({from, generation.lines.end()});
  }
  std::vector<KeptLine> lines;
  std::size_t taken = 0;
  while (!rests.empty()) {
    const auto first = std::ranges::min_element(rests, {}, [](const Rest& r) { return r.at->number; });
    taken += size_of(*first->at);
    if (!lines.empty() && taken > bytes) break;
    lines.push_back(*first->at);
    if (++first->at == first->end) rests.erase(first);
  }
  return lines;
}

}  // namespace graced
