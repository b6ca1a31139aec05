// Where exec looks for a program.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace graced {

// The paths to try, in order: the word itself if there is a slash in it, else one for each directory of PATH.
// environments: NAME=VALUE each, may be null; the last PATH counts.
std::vector<std::string> programs_named(const std::string& word,
                                        std::initializer_list<const std::vector<std::string>*> environments);

}  // namespace graced
