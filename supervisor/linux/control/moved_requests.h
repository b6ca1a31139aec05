// Reloads whose askers have lost their connection, as graced goes on as another image: what comes of each waits
// until its asker has come again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/id.h"

namespace graced {

struct ReloadOutcome {
  bool ok = false;
  std::uint64_t generation = 0;
  std::string why{};  // may have several lines; empty if ok
};

class MovedRequests {
 public:
  // None: it is not known yet.
  using Kept = std::map<RequestId, std::optional<ReloadOutcome>>;

  MovedRequests() = default;
  explicit MovedRequests(Kept kept) : all_(std::move(kept)) {}
  const Kept& kept() const { return all_; }

  // Beyond the last ones that are waited for the oldest are forgotten.
  void add(RequestId request);

  // False: it is none of these.
  bool answer(RequestId request, ReloadOutcome outcome);

  // The asker has come again: from then on it is none of these. Nothing: it was none.
  std::optional<std::optional<ReloadOutcome>> take(RequestId request);

 private:
  Kept all_;
};

}  // namespace graced
