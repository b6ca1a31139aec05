// An --env-file: what comes out is NAME=VALUE and nothing else.
#include "options/env_file.h"

#include <stdexcept>

#include "fuzz.h"
#include "options/options.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  if (text.find('\0') != std::string_view::npos) return 0;  // read_text_file refuses those
  try {
    for (const auto& variable : graced::parse_env_file(text, "app.env")) {
      graced::check_assignment(variable);
      fuzz::promise(variable.size() <= size, "nothing is made up");
    }
  } catch (const graced::UsageError& why) {
    fuzz::promise(fuzz::is_one_line(why.what()), "a complaint is one line");
    fuzz::promise(std::string_view(why.what()).starts_with("app.env:"), "a complaint names the line");
  }
  return 0;
}
