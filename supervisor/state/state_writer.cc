#include "state/state_writer.h"

#include <cassert>

namespace graced {

StateWriter::StateWriter(std::string_view version) : version_(version) {}

void StateWriter::add_json(std::string_view part, Json value) {
  assert(!parts_.contains(part));
  parts_.emplace(part, std::move(value));
}

void StateWriter::need(std::string_view word) {
  needs_.emplace(word);
}

std::string StateWriter::text() const {
  auto needs = needs_;
  needs.insert(writer_.needs().begin(), writer_.needs().end());
  Json whole{{"format", state_format}, {"written-by", json_text(version_)}, {"needs", needs}};
  whole.update(parts_);
  return whole.dump() + '\n';
}

}  // namespace graced
