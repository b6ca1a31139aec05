// Ids that cannot be mistaken for each other: a worker's is no generation's.
#pragma once

#include <compare>
#include <cstdint>

namespace graced {

template <class Tag>
struct Id {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

using WorkerId = Id<struct WorkerTag>;          // unique over the life of graced, from 1
using GenerationId = Id<struct GenerationTag>;  // from 1; a failed reload uses one up too
using RequestId = Id<struct RequestTag>;        // who asked; 0: nobody waits for the answer

inline constexpr RequestId nobody{};

// What ran before graced, and is taken over: before all generations, and no worker of graced's own.
inline constexpr GenerationId taken_generation{};
inline constexpr WorkerId taken_worker{};

}  // namespace graced
