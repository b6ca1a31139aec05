// What is counted of each generation, by what that was while it was counted: numbers of generations have no
// end.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

namespace graced {

template <class Amount>
class RoleCount {
 public:
  // The counts so far, by generation; what went down counts for nothing. role_of: of a generation, now.
  template <class RoleOf>
  void take(const std::map<std::uint64_t, Amount>& counts, RoleOf role_of) {
    for (const auto& [generation, count] : counts) {
      const auto before = last_.find(generation);
      // What was there before the first look is another exporter's; what began since is all this one's.
      const Amount from = before != last_.end() ? before->second : known_ ? Amount{} : count;
      Amount& sum = by_role_[role_of(generation)];
      if (count > from) sum += count - from;
    }
    last_ = counts;
    known_ = true;
  }

  // Another graced counts from the beginning.
  void begin_anew() { last_.clear(); }

  const std::map<std::string_view, Amount>& by_role() const { return by_role_; }

 private:
  std::map<std::uint64_t, Amount> last_;
  bool known_ = false;
  std::map<std::string_view, Amount> by_role_;
};

}  // namespace graced
