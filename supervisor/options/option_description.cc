// A row of a table becomes an option of Boost's.
#include "options/option_description.h"

#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>

namespace graced {

namespace po = boost::program_options;

po::options_description description_of(std::span<const WordOption> options) {
  po::options_description description;
  for (const auto& option : options) {
    const auto names =
        option.letter == 0 ? std::string{option.name} : fmt::format("{},{}", option.name, option.letter);
    auto* const values = po::value<OptionValues>();  // the description owns it
    if (option.argument.empty()) values->zero_tokens();
    description.add_options()(names.c_str(), values);
  }
  return description;
}

}  // namespace graced
