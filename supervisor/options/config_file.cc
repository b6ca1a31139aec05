// Boost.Program_options reads a line; what it complains of becomes file:line.
#include "options/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <sstream>

#include "options/one_line.h"

namespace graced {

namespace {

namespace po = boost::program_options;

// In `a#b` the second half would silently be a comment, and the format has no quoting to save it.
bool cuts_a_word(std::string_view line, std::size_t hash) {
  const auto equals = line.find('=');
  return equals < hash && equals != hash - 1 && line[hash - 1] != ' ' && line[hash - 1] != '\t';
}

}  // namespace

std::vector<ConfigLine> parse_config_file(std::string_view text, const std::string& path) {
  Complaints complaints;
  auto lines = parse_config_file(text, path, complaints);
  complaints.throw_if_any();
  return lines;
}

std::vector<ConfigLine> parse_config_file(std::string_view text, const std::string& path,
                                          Complaints& complaints) {
  const po::options_description anything;
  std::istringstream one;  // line at a time, so that each knows its number, and all that are wrong are told
  std::vector<ConfigLine> result;
  for (unsigned number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));

    const auto shown = line.substr(std::min(line.find_first_not_of(" \t\r"), line.size()));
    const auto complain = [&, number](const std::string& why) {
      complaints.add({Place::Layer::file, number}, fmt::format("{}:{}: {}", path, number, why));
    };
    const auto no_line = [&] { complain(fmt::format("'{}' is no line like 'workers = 4'", one_line(shown))); };
    const auto hash = line.find('#');
    if (shown.starts_with('[')) {
      complain(fmt::format("there are no sections here, leave out '{}'", one_line(shown)));
      continue;
    }
    if (hash != std::string::npos && cuts_a_word(line, hash)) {
      complain(
          "'#' would begin a comment here; put a blank before it, or the value into an env-file or a GRACED_ "
          "variable");
      continue;
    }
    try {
      one.clear();
      one.str(std::string{line});
      for (const auto& option : po::parse_config_file(one, anything, true).options) {
        if (option.string_key.empty())
          no_line();
        else
          result.push_back({option.string_key, option.value.front(), number, hash != std::string::npos});
      }
    } catch (const po::invalid_config_file_syntax&) { no_line(); }
  }
  return result;
}

}  // namespace graced
