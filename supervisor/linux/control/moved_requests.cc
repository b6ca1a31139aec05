#include "linux/control/moved_requests.h"

#include <cstddef>

namespace graced {

namespace {

constexpr std::size_t most = 1024;

}  // namespace

void MovedRequests::add(RequestId request) {
  all_.emplace(request, std::nullopt);
  while (all_.size() > most) all_.erase(all_.begin());
}

bool MovedRequests::answer(RequestId request, ReloadOutcome outcome) {
  const auto found = all_.find(request);
  if (found == all_.end()) return false;
  found->second = std::move(outcome);
  return true;
}

std::optional<std::optional<ReloadOutcome>> MovedRequests::take(RequestId request) {
  auto found = all_.extract(request);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

}  // namespace graced
