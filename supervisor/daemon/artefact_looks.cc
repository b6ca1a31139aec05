// The record is a letter, "d" where it runs from a descriptor, else "p", and the names of changed files, each
// ended by a NUL byte.
#include "daemon/artefact_looks.h"

#include <string>
#include <string_view>
#include <system_error>

#include "linux/base/pipe_text.h"

namespace graced {

namespace {

constexpr Duration longest_wait = 500ms;

std::string text_of(const Artefact::Look& look) {
  std::string text = look.from_descriptor ? "d" : "p";
  for (const std::string& name : look.changed) (text += name) += '\0';
  return text;
}

Artefact::Look look_of(std::string_view text) {
  Artefact::Look look{text.starts_with('d'), {}};
  text.remove_prefix(1);
  for (std::size_t end = 0; (end = text.find('\0')) != std::string_view::npos; text.remove_prefix(end + 1))
    look.changed.emplace_back(text.substr(0, end));
  return look;
}

}  // namespace

Artefact::Look ArtefactLooks::look(const std::shared_ptr<const Artefact>& artefact) {
  if (auto now = artefact->look_at_once()) return *now;
  if (of_.lock() != artefact) {
    asked_.give_up();
    of_ = artefact;
    last_ = {};
  }
  if (!asked_.is_under_way()) {
    ask(*artefact);
    asked_.wait(longest_wait);
  }
  return last_;
}

void ArtefactLooks::ask(const Artefact& artefact) {
  const auto work = [&](int output) { write_all(output, text_of(artefact.look())); };
  const auto done = [this] {
    if (!asked_.text().empty()) last_ = look_of(asked_.text());
  };
  try {
    asked_.begin(StartingPlace(StartingPlace::Kept{}), work, done, artefact.descriptors());
  } catch (const std::system_error&) {}  // no process can be started now; the next look tries again
}

}  // namespace graced
