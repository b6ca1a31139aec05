// Reads what a StateWriter has written, of this version or of another one.
//
// Whatever the text is, it is read, or a StateError says in one line what is wrong with it; nothing is half
// read. Keys that are not known are left out; what is missing is as in an object that was just made
// (members.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "json/json_value.h"
#include "state/json_reader.h"
#include "state/state_error.h"

namespace graced {

// The needs that this version knows: a word for each thing that an older one would do wrong if it left it out.
std::span<const std::string_view> known_needs();

class StateReader {
 public:
  // Throws StateError: it is no state, of another format, or needs what is not among `known`.
  explicit StateReader(std::string_view text, std::span<const std::string_view> known = known_needs());

  // The version that has written it, safe to be shown; empty: it does not say.
  const std::string& written_by() const { return written_by_; }

  bool has(std::string_view part) const { return whole_.contains(part); }

  // A described type. What is not written of it stays as it is in `into`. Throws StateError, and `into` is as
  // it was then; also where the state has no such part.
  template <class T>
  void read(std::string_view part, T& into) const {
    T fresh = into;
    JsonReader::read(this->part(part), fresh, StatePlace(part));
    into = std::move(fresh);
  }

 private:
  const Json& part(std::string_view name) const;

  Json whole_;
  std::string written_by_;
};

}  // namespace graced
