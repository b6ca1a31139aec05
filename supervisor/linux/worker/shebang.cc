#include "linux/worker/shebang.h"

#include <algorithm>
#include <array>

namespace graced {

namespace {

constexpr std::string_view blanks = " \t";

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::optional<Shebang> parse_shebang(std::string_view beginning) {
  if (!beginning.starts_with("#!")) return std::nullopt;
  std::string_view line = beginning.substr(2, beginning.find('\n') - 2);
  const std::string_view interpreter = take_word(line);
  if (interpreter.empty()) return std::nullopt;

  std::string_view argument = line.substr(std::min(line.find_first_not_of(blanks), line.size()));
  argument = argument.substr(0, argument.find_last_not_of(blanks) + 1);
  std::string_view program = interpreter;
  if (last_part(interpreter) == "env") {
    do program = take_word(line);
    while (program.starts_with('-') || program.find('=') != std::string_view::npos);
    if (program.empty()) program = interpreter;
  }
  return Shebang{std::string(interpreter), std::string(argument), std::string(program)};
}

// Not bash: its scripts compare $0 with BASH_SOURCE to tell whether they were run or read by another one.
std::vector<std::string> shell_of(const Shebang& script) {
  constexpr std::array<std::string_view, 3> shells{"sh", "dash", "ash"};
  if (std::ranges::find(shells, last_part(script.interpreter)) == shells.end()) return {};
  if (script.argument.empty()) return {script.interpreter};
  const bool switches = script.argument.starts_with('-') && script.argument.size() > 1 &&
                        script.argument.find_first_not_of("aefnuvx", 1) == std::string::npos;
  return switches ? std::vector{script.interpreter, script.argument} : std::vector<std::string>{};
}

bool reads_from_descriptor(const Shebang& script) {
  constexpr std::array<std::string_view, 6> by_path{"node", "nodejs", "bun", "deno", "tsx", "ts-node"};
  return std::ranges::find(by_path, last_part(script.program)) == by_path.end();
}

}  // namespace graced
