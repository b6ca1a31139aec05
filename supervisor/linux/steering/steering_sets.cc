#include "linux/steering/steering_sets.h"

#include "linux/sockets/listen_beside.h"
#include "linux/steering/bpf_program.h"

namespace graced {

SteeringSets::SteeringSets() : number_(make_number()) {
  // An address may be refused for reasons of its own; what is the machine's is known once and for all.
  load_choice_by_number(make_socket_array(most).get(), number_.get());
}

SteeringSets::Kept SteeringSets::kept() const {
  Kept kept{number_.get(), chosen_};
  for (const auto& [address, array] : arrays_) kept.arrays.emplace(address, array.get());
  return kept;
}

SteeringSets::SteeringSets(const Kept& kept) : number_(kept.number), chosen_(kept.chosen) {
  for (const auto& [address, array] : kept.arrays) arrays_.emplace(address, Fd(array));
}

void SteeringSets::steer(Address address, int listening_fd) {
  Fd array = make_socket_array(most);
  const Fd program = load_choice_by_number(array.get(), number_.get());
  const Fd beside = listen_beside(listening_fd);
  put_into(array.get(), chosen_, listening_fd);
  attach_program(listening_fd, program.get());
  arrays_.insert_or_assign(address, std::move(array));
}

void SteeringSets::put(Address address, Set set, int listening_fd) {
  put_into(arrays_.at(address).get(), set, listening_fd);
}

void SteeringSets::choose(Set set) {
  set_number(number_.get(), set);
  chosen_ = set;
}

}  // namespace graced
