// The state of a graced, as it is handed to the one that takes its place: JSON, in parts of which each is the
// business of one of its rooms.
//
//   {"format": 1,              how the rest is to be read; another one is refused
//    "written-by": "0.2.0",    for people
//    "needs": ["takeover"],    what the reader must know: a word that it does not is refused
//    "core": {…}, …}           the parts; who reads leaves out what it does not know
#pragma once

#include <string>
#include <string_view>

#include "json/json_value.h"
#include "state/json_writer.h"

namespace graced {

inline constexpr unsigned state_format = 1;

class StateWriter {
 public:
  explicit StateWriter(std::string_view version);

  // A described type (members.h), with what it needs. Each part once.
  template <class T>
  void add(std::string_view part, const T& value) {
    add_json(part, writer_.write(value, StatePlace(part)));
  }

  // Of what is written here as a whole, by whoever has it.
  void need(std::string_view word);

  // Of all that was added: those that the reader is to own, and the numbers of such that were written besides.
  const std::vector<StateDescriptor>& carried() const { return writer_.carried(); }
  const std::vector<StateDescriptor>& borrowed() const { return writer_.borrowed(); }

  // One line, UTF-8, ended with a newline.
  std::string text() const;

 private:
  void add_json(std::string_view part, Json value);

  JsonWriter writer_;
  Json parts_ = Json::object();
  std::string version_;
  std::set<std::string, std::less<>> needs_;
};

}  // namespace graced
