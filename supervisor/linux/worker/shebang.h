// The first line of a script, as execve(2) reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graced {

struct Shebang {
  std::string interpreter;  // path
  std::string argument;     // the rest of the line, one word to the kernel
  std::string program;      // what that runs: itself, or what env(1) is told to look up in PATH
};

// `beginning`: of the file, 256 bytes are enough. nullopt: no script.
std::optional<Shebang> parse_shebang(std::string_view beginning);

// How a POSIX shell is called to read a script from elsewhere, so that $0 is what it is told: {"/bin/sh",
// "-e"}. Empty for all others, and for arguments that would be in the way of that.
std::vector<std::string> shell_of(const Shebang& script);

// Whether it can read its script from /dev/fd/N when the script's own name is gone. Node and its kin ask
// for the real path first.
bool reads_from_descriptor(const Shebang& script);

}  // namespace graced
