#include "observe/observed_instance.h"

namespace graced {
namespace {

template <class Part, class Number>
std::optional<Number> sum_of(const std::vector<Part>& parts, std::optional<Number> Part::*member) {
  std::optional<Number> sum;
  for (const Part& part : parts)
    if (part.*member) sum = sum.value_or(Number{}) + *(part.*member);
  return sum;
}

}  // namespace

std::optional<std::uint32_t> connections_of(const ObservedInstance& i) {
  return sum_of(i.addresses, &AddressLoad::connected);
}

std::optional<std::uint32_t> waiting_of(const ObservedInstance& i) {
  return sum_of(i.addresses, &AddressLoad::waiting);
}

std::optional<std::uint64_t> memory_of(const ObservedInstance& i) {
  return sum_of(i.generations, &GenerationLoad::memory);
}

std::optional<Duration> cpu_of(const ObservedInstance& i) {
  return sum_of(i.generations, &GenerationLoad::cpu);
}

}  // namespace graced
