// Lines of option = value; what is no such line becomes file:line.
#include "options/config_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/one_line.h"

namespace graced {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

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
  std::vector<ConfigLine> result;
  for (unsigned number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));

    const Place place{Place::Layer::file, number};
    const auto hash = line.find('#');
    if (trimmed(line).starts_with('[')) {
      complaints.add(place, fmt::format("{}:{}: there are no sections here, leave out '{}'", path, number,
                                        one_line(trimmed(line))));
      continue;
    }
    if (hash != std::string::npos && cuts_a_word(line, hash)) {
      complaints.add(place,
                     fmt::format("{}:{}: '#' would begin a comment here; put a blank before it, or the value "
                                 "into an env-file or a GRACED_ variable",
                                 path, number));
      continue;
    }
    const auto said = trimmed(line.substr(0, hash));
    if (said.empty()) continue;
    const auto equals = said.find('=');
    const auto option = trimmed(said.substr(0, equals));
    if (equals == std::string::npos || option.empty()) {
      complaints.add(place, fmt::format("{}:{}: '{}' is no line like 'workers = 4'", path, number,
                                        one_line(trimmed(line))));
      continue;
    }
    result.push_back({std::string{option}, std::string{trimmed(said.substr(equals + 1))}, number,
                      hash != std::string::npos});
  }
  return result;
}

}  // namespace graced
