#include "state/core_state.h"

#include "state/event_members.h"
#include "state/output_members.h"
#include "state/supervisor_members.h"

namespace graced {

void add_to(StateWriter& state, std::string_view part, const Supervisor& supervisor) {
  state.add(part, supervisor);
}

void add_to(StateWriter& state, std::string_view part, const History& history) {
  state.add(part, history);
}

void add_to(StateWriter& state, std::string_view part, const KeptOutput& output) {
  state.add(part, output);
}

void add_to(StateWriter& state, std::string_view part, const LineBuffer& lines) {
  state.add(part, lines);
}

void add_to(StateWriter& state, std::string_view part, const LinePieces& pieces) {
  state.add(part, pieces);
}

void read_from(const StateReader& state, std::string_view part, Supervisor& supervisor) {
  state.read(part, supervisor);
}

void read_from(const StateReader& state, std::string_view part, History& history) {
  state.read(part, history);
}

void read_from(const StateReader& state, std::string_view part, KeptOutput& output) {
  state.read(part, output);
}

void read_from(const StateReader& state, std::string_view part, LineBuffer& lines) {
  state.read(part, lines);
}

void read_from(const StateReader& state, std::string_view part, LinePieces& pieces) {
  state.read(part, pieces);
}

}  // namespace graced
