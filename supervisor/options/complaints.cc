#include "options/complaints.h"

#include <algorithm>

namespace graced {

void Complaints::add(Place place, std::string line, Kind kind) {
  const auto after = std::ranges::upper_bound(complaints_, place, {}, &Complaint::place);
  complaints_.insert(after, {place, std::move(line), kind});
}

void Complaints::add(Place place, const UsageError& error) {
  for (const auto& line : error.lines()) add(place, line);
}

bool Complaints::any_of(Kind kind) const {
  return std::ranges::any_of(complaints_, [&](const Complaint& c) { return c.kind == kind; });
}

std::vector<std::string> Complaints::lines() const {
  std::vector<std::string> lines;
  for (const auto& complaint : complaints_) lines.push_back(complaint.line);
  return lines;
}

void Complaints::throw_if_any() const {
  if (!none()) throw UsageError{lines()};
}

}  // namespace graced
