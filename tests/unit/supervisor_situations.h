// The situations in which a graced may be when it is replaced, as stories of the core, each with a name. The
// states of released versions below tests/states were written from these.
#pragma once

#include <string>
#include <vector>

#include "core/history.h"
#include "core/kept_output.h"
#include "core/line_buffer.h"
#include "core/line_pieces.h"
#include "state/state_reader.h"
#include "supervisor_story.h"

namespace graced {

struct Situation {
  std::string name;  // of its file, without .json
  Supervisor core;
  History history{};
  KeptOutput output{};
  LineBuffer lines{};
  LinePieces pieces{};
};

std::vector<Situation> situations();

// All of its parts, as `version` would write them.
std::string written(const Situation& situation, std::string_view version);
// Throws StateError.
Situation read_situation(std::string name, const StateReader& state);

}  // namespace graced
