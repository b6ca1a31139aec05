// One variables_map keeps the texts: what is stored first wins. Beside it is kept who said them.
#include "options/given_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include "options/option_description.h"
#include "options/option_layers.h"
#include "options/option_table.h"

namespace graced {

namespace {

namespace po = boost::program_options;

class Store {
 public:
  // From the highest layer to the lowest.
  void add(const Layer& layer) {
    const auto known = description_of(options_in(layer));
    po::parsed_options parsed{&known};
    for (const auto& said : layer) {
      parsed.options.emplace_back(said.option, OptionValues{said.text});
      if (values_.count(said.option) == 0) origins_[said.option].push_back(said.origin);
    }
    po::store(parsed, values_);
  }

  // None, if nobody gave the option.
  std::vector<GivenValue> values_of(std::string_view option) const {
    const std::string name{option};
    const auto stored = values_.find(name);
    if (stored == values_.end()) return {};
    std::vector<GivenValue> given;
    for (const auto& text : stored->second.as<OptionValues>())
      given.push_back({origins_.at(name)[given.size()], text});
    return given;
  }

 private:
  // A start waits for this: to describe all of them would take longer than all that is done with those few.
  static std::vector<WordOption> options_in(const Layer& layer) {
    std::vector<WordOption> options;
    for (const auto& said : layer) {
      if (std::ranges::count(options, said.option, &WordOption::name) == 0)
        options.push_back(find_run_option(said.option)->word);
    }
    return options;
  }

  po::variables_map values_;
  std::map<std::string, std::vector<Origin>> origins_;  // of each option as many as it has values
};

// Who writes a file may not know what the environment says: an image, for example, has variables of its own.
void note_outweighed(const Layer& file, const GivenValues& given, std::vector<std::string>& notes) {
  for (const auto& said : file) {
    if (&*std::ranges::find(file, said.option, &Said::option) != &said) continue;  // once for each option
    const auto& counts = given.find(said.option)->second.front();
    if (counts.place.layer != Place::Layer::environment || counts.text == said.text) continue;
    notes.push_back(
        fmt::format("{} does not count: {} in the environment counts more", said.origin.where, counts.where));
  }
}

}  // namespace

GivenValues given_values(const ParsedWords& words, const std::vector<std::string>& environment,
                         const ReadText& read, std::vector<std::string>& notes, Complaints& complaints) {
  Store store;
  store.add(command_line_layer(words, complaints));
  store.add(environment_layer(environment, notes, complaints));
  Layer file;
  if (const auto config = store.values_of(config_option); !config.empty()) {
    file = config_layer(config.front(), read, complaints);
    store.add(file);
  }

  GivenValues given;
  for (const auto& row : run_options()) {
    if (auto values = store.values_of(row.word.name); !values.empty())
      given.emplace(row.word.name, std::move(values));
  }
  note_outweighed(file, given, notes);
  return given;
}

Place place_of(const GivenValues& given, std::string_view option) {
  const auto values = given.find(option);
  return values == given.end() || values->second.empty() ? Place{} : values->second.front().place;
}

std::string with_place(const GivenValue& value, const std::string& why) {
  return value.place.layer == Place::Layer::command_line ? why : fmt::format("{}: {}", value.who, why);
}

}  // namespace graced
