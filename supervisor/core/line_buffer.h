// Cuts a stream of bytes into whole lines and remembers the last of them. Bytes come out as they
// went in; a line that is not finished yet waits, so that nobody else's ends up in its middle, until somebody
// has waited for it for long enough.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/members.h"

namespace graced {

class LineBuffer {
 public:
  static constexpr std::size_t kept_lines = 20;
  static constexpr std::size_t kept_line_length = 1024;  // bytes; the rest of a longer line is not remembered
  static constexpr std::size_t longest_line = 1 << 20;   // bytes

  // longest: bytes of a line; a longer one comes out in pieces.
  explicit LineBuffer(std::size_t longest = longest_line) : longest_(longest) {}

  // Goes on with what another one has begun, with its own limit.
  void take_over(LineBuffer before) {
    before.longest_ = longest_;
    *this = std::move(before);
  }

  // What can be passed on now: all whole lines, in order.
  std::string feed(std::string_view bytes);

  // Whether some of an unfinished line has not come out yet.
  bool waits() const { return passed_on_ < unfinished_.size(); }

  // That part, without waiting for the rest.
  std::string take_unfinished();

  // The stream has ended: the rest of an unfinished line, ended with a newline; empty if there is none.
  std::string finish();

  // The last lines seen, oldest first, without their newlines; an unfinished one counts.
  std::vector<std::string> last_lines() const;

 private:
  template <class>
  friend struct Members;

  void remember(std::string_view whole_lines);

  std::size_t longest_;
  std::string unfinished_;
  std::size_t passed_on_ = 0;  // bytes of it that have come out already
  std::deque<std::string> last_;
};

}  // namespace graced
