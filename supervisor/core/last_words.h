// What is told of a process that said something in two places.
#pragma once

#include <string>
#include <vector>

namespace graced {

// The last lines of both, 20 at most: those of stderr come last, as a reason does. Where there are too many
// each keeps half, or what the other leaves.
std::vector<std::string> last_words(const std::vector<std::string>& of_stdout,
                                    const std::vector<std::string>& of_stderr);

}  // namespace graced
