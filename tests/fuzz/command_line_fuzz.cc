// `graced run …`: words as a shell would pass them, NUL between them, and words taken from one line.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz.h"
#include "options/option_layers.h"
#include "options/option_table.h"
#include "options/options.h"
#include "options/shell_words.h"

namespace {

void words(std::string_view text) {
  std::vector<std::string> args;
  for (const auto word : fuzz::cut(text, '\0')) args.emplace_back(word);
  graced::Complaints complaints;
  static_cast<void>(graced::command_line_layer(
      graced::parse_words_or_tell(args, graced::run_words(), graced::RestRule::ends_options, "run"),
      complaints));
  std::vector<std::string> notes;
  static_cast<void>(graced::environment_layer(args, notes, complaints));
  fuzz::promise(std::ranges::all_of(complaints.lines(), fuzz::is_one_line), "a complaint is one line");
  fuzz::promise(std::ranges::all_of(notes, fuzz::is_one_line), "a note is one line");
}

void line(std::string_view text) {
  std::vector<std::string> split;
  try {
    split = graced::split_shell_words(text);
  } catch (const std::invalid_argument&) { return; }
  fuzz::promise(graced::split_shell_words(graced::join_shell_words(split)) == split,
                "words are read as they are written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  words(fuzz::text_of(data, size));
  line(fuzz::text_of(data, size));
  return 0;
}
