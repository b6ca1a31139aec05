// The terminal, by ncursesw.
#pragma once

#include <cstddef>
#include <vector>

#include "core/time.h"
#include "top/line.h"

namespace graced {

struct Key {
  enum class Kind {
    none,  // nothing was pressed in time
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    enter,
    back,
    resized,
    character,
    gone,  // the terminal was closed
  };
  Kind kind = Kind::none;
  char character = 0;  // printable ASCII
};

class Screen {
 public:
  // Takes the terminal over. colour: where it can. Throws std::runtime_error, with the way out, where stdin or
  // stdout is no terminal, or one whose cursor cannot be moved (TERM=dumb).
  explicit Screen(bool colour);
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();  // leaves it as it was

  std::size_t columns() const;
  std::size_t rows() const;

  // From the top; what has no room is not shown. Where the locale is not UTF-8, what is not ASCII is a '?'.
  void show(const std::vector<Line>& lines);

  Key wait(Duration limit);

 private:
  bool utf8_;
  bool colours_ = false;
  unsigned failed_waits_ = 0;
};

}  // namespace graced
