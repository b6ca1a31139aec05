// Boost.Program_options reads the file; what it complains of becomes file:line.
#include "options/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "options/one_line.h"
#include "options/options.h"

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
  const po::options_description nothing;
  std::istringstream lines{std::string{text}};
  std::vector<ConfigLine> result;
  std::string line;

  // Boost reads one line at a time, so that every value and every complaint knows where it stands.
  for (unsigned number = 1; std::getline(lines, line); ++number) {
    const auto start = std::min(line.find_first_not_of(" \t"), line.size());
    if (start < line.size() && line[start] == '[') {
      throw UsageError{fmt::format("{}:{}: there are no sections here, leave out '{}'", path, number,
                                   one_line(line.substr(start)))};
    }
    const auto hash = line.find('#');
    if (hash != std::string::npos && cuts_a_word(line, hash)) {
      throw UsageError{fmt::format(
          "{}:{}: '#' would begin a comment here; put a blank before it, or the value into an env-file or a "
          "GRACED_ variable",
          path, number)};
    }
    try {
      std::istringstream one{line};
      for (const auto& option : po::parse_config_file(one, nothing, true).options) {
        const auto value = option.value.empty() ? std::string{} : option.value.front();
        result.push_back({option.string_key, value, number, hash != std::string::npos});
      }
    } catch (const po::error&) {
      throw UsageError{
          fmt::format("{}:{}: '{}' is no line like 'workers = 4'", path, number, one_line(line.substr(start)))};
    }
  }
  return result;
}

}  // namespace graced
