// What one graced hands to the next: read, or refused with one line; what is read is written so that it is read
// as the same, and the supervisor lives on whatever happens to it.
#include <string>

#include "../unit/supervisor_life.h"
#include "fuzz.h"
#include "state/core_state.h"

namespace {

template <class Part>
std::string written(const Part& part) {
  graced::StateWriter state("0.2.0");
  graced::add_to(state, "part", part);
  return state.text();
}

template <class Part>
void read_and_written(const graced::StateReader& state, std::string_view name, Part& part) {
  if (!state.has(name)) return;
  try {
    graced::read_from(state, name, part);
  } catch (const graced::StateError& error) {
    fuzz::promise(fuzz::is_one_line(error.what()), "a complaint is one line");
    return;
  }
  const std::string text = written(part);
  Part again = part;
  graced::read_from(graced::StateReader(text), "part", again);
  fuzz::promise(written(again) == text, "what is read is read again as it is written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const graced::StateReader state(fuzz::text_of(data, size));
    graced::Supervisor core{graced::Policy{}};
    read_and_written(state, "core", core);
    const std::string wrong = graced::lives_on(core, size, 100);
    fuzz::promise(wrong.empty(), wrong.c_str());
    graced::History history;
    read_and_written(state, "history", history);
    graced::KeptOutput output;
    read_and_written(state, "output", output);
    graced::LineBuffer lines;
    read_and_written(state, "lines", lines);
    static_cast<void>(lines.feed("more\n"));
    graced::LinePieces pieces;
    read_and_written(state, "pieces", pieces);
    static_cast<void>(pieces.cut("more\n"));
  } catch (const graced::StateError& error) {
    fuzz::promise(fuzz::is_one_line(error.what()), "a complaint is one line");
  }
  return 0;
}
