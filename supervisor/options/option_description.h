// What options there are, as Boost.Program_options wants to be told it.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <span>
#include <string>
#include <vector>

#include "options/option_words.h"

namespace graced {

// What Boost keeps for each option: every value that it was given, in their order. A switch has "" for one that
// was typed.
using OptionValues = std::vector<std::string>;

// Of the names, the letters and who takes a value. What is printed about them is not in it, see help.h.
boost::program_options::options_description description_of(std::span<const WordOption> options);

}  // namespace graced
