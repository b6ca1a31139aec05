// What the core knows, as parts of a state. What a generation was told, which descriptor is whose and what runs
// below a worker is not here: that is its owners' to write.
#pragma once

#include <string_view>

#include "core/history.h"
#include "core/kept_output.h"
#include "core/line_buffer.h"
#include "core/line_pieces.h"
#include "core/supervisor.h"
#include "state/state_reader.h"
#include "state/state_writer.h"

namespace graced {

void add_to(StateWriter& state, std::string_view part, const Supervisor& supervisor);
void add_to(StateWriter& state, std::string_view part, const History& history);
void add_to(StateWriter& state, std::string_view part, const KeptOutput& output);
void add_to(StateWriter& state, std::string_view part, const LineBuffer& lines);
void add_to(StateWriter& state, std::string_view part, const LinePieces& pieces);

// Throw StateError, and leave it as it was then. A supervisor decides from then on what the one that was
// written would have decided: give it events at instants that are not before the last one that that was given,
// and a RequestId that is new for whoever asks anew.
void read_from(const StateReader& state, std::string_view part, Supervisor& supervisor);
void read_from(const StateReader& state, std::string_view part, History& history);
void read_from(const StateReader& state, std::string_view part, KeptOutput& output);
void read_from(const StateReader& state, std::string_view part, LineBuffer& lines);
void read_from(const StateReader& state, std::string_view part, LinePieces& pieces);

}  // namespace graced
