// How the lines of one process are told on with --output prefix: who says it comes in front.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/line_pieces.h"
#include "core/speaker.h"

namespace graced {

class LineForm {
 public:
  enum class Kind {
    text,        // generation 7, worker 2, PID 123: …
    timed_text,  // the same with the time in front
    json,        // one object a line, all ASCII; what is no UTF-8 is U+FFFD in it
    journal,     // an entry with fields
  };
  // instance: its name.
  LineForm(Kind kind, std::string_view instance, const Speaker& speaker);

  Kind kind() const { return kind_; }
  const std::string& instance() const { return instance_; }
  const Speaker& speaker() const { return speaker_; }

  // With its newline. Of the journal's kind as text, for where there is no journal.
  std::string line(const LinePiece& piece, std::chrono::system_clock::time_point at) const;

  // See journal_entry(). A level in front, as sd-daemon(3) has it ("<4>"), is its priority.
  std::string entry(const LinePiece& piece) const;

 private:
  Kind kind_;
  std::string instance_;
  Speaker speaker_;
  std::string head_;  // what comes before the text, but for the time
};

}  // namespace graced
