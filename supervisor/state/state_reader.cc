#include "state/state_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/printable.h"
#include "state/state_writer.h"

namespace graced {

namespace {

Json parsed(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw StateError{fmt::format("the state is damaged or cut off at byte {} of {}", e.byte, text.size())};
  } catch (const Json::exception& e) {
    throw StateError{"the state is damaged: it has a number that is too large"};
  }
}

void refuse_other_format(const Json& whole) {
  const auto format = whole.find("format");
  if (format == whole.end()) throw StateError{"it says no format, so it is no state of graced"};
  const auto number = read_unsigned(*format, std::numeric_limits<std::uint64_t>::max(), StatePlace("format"));
  if (number != state_format)
    throw StateError{
        fmt::format("the state has format {}, and this version reads format {}", number, state_format)};
}

void refuse_unknown_needs(const Json& whole, std::span<const std::string_view> known) {
  const auto needs = whole.find("needs");
  if (needs == whole.end()) return;
  std::vector<std::string> words;
  JsonReader::read(*needs, words, StatePlace("needs"));
  std::erase_if(words, [&](const std::string& word) { return std::ranges::find(known, word) != known.end(); });
  if (words.empty()) return;
  for (std::string& word : words) word = state_text_shown(word);
  throw StateError{fmt::format("the state needs what this version does not know: {}", fmt::join(words, ", "))};
}

}  // namespace

std::span<const std::string_view> known_needs() {
  return {};  // all that there is can be read since the first version that could
}

StateReader::StateReader(std::string_view text, std::span<const std::string_view> known)
    : whole_(parsed(text)) {
  if (!whole_.is_object()) throw StateError{"it is no object, so it is no state of graced"};
  refuse_other_format(whole_);
  refuse_unknown_needs(whole_, known);
  if (const auto by = whole_.find("written-by"); by != whole_.end())
    written_by_ = state_text_shown(read_text(*by, StatePlace("written-by")));
}

const Json& StateReader::part(std::string_view name) const {
  const auto found = whole_.find(name);
  if (found == whole_.end()) throw StateError{fmt::format("the state has no '{}'", name)};
  return *found;
}

}  // namespace graced
