// The first line of a script, as execve(2) reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace graced {

struct Shebang {
  std::string interpreter;  // path
  std::string program;      // what that runs: itself, or what env(1) is told to look up in PATH
};

// `beginning`: of the file, 256 bytes are enough. nullopt: no script.
std::optional<Shebang> parse_shebang(std::string_view beginning);

// Whether it can read its script from /dev/fd/N when the script's own name is gone. Node and its kin ask
// for the real path first.
bool reads_from_descriptor(const Shebang& script);

}  // namespace graced
