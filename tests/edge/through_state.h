// What is kept of an object, as the next image of graced reads it.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "state/state_reader.h"
#include "state/state_writer.h"

namespace graced {

template <class Kept>
std::string state_text(const Kept& kept) {
  StateWriter writer("this");
  writer.add("kept", kept);
  return writer.text();
}

template <class Kept>
Kept through_state(const Kept& kept) {
  const std::string text = state_text(kept);
  Kept read{};
  StateReader(text).read("kept", read);
  CHECK(state_text(read) == text);
  return read;
}

}  // namespace graced
