#include "top/help_page.h"

#include <string_view>

namespace graced {
namespace {

constexpr std::string_view text = R"(Keys
  Up, Down, j, k   another instance; in an opened one another line
  PageUp, PageDown, Home, End
  Enter            open the chosen instance
  Escape           back
  r                reload it, after a question
  b                roll it back to the generation that stands by, after a question
  s, S             sort by the next column, by the one before
  Space            look now
  q                quit

Columns
  gen              the generation that serves
  workers          that are ready; ready/asked where they are too few
  conns            open connections that were accepted at its addresses
  queue            connections that wait to be accepted, and how many may
  cpu              of its workers and all below them; 100% is one processor
  memory           of its workers and all below them: what their cgroup is charged for where it has its own, else resident memory (RSS), in which a page that several processes have counts for each
  reloads          that went well, + those that failed
  -                not known: of another network or another PID namespace, or it is not ours to read

Sorted by name only instances on the screen are asked, once a second; each question wakes a graced. Sorted by anything else all of them are.)";

constexpr std::size_t explained_at = 19;  // columns, of what a key or a column means

}  // namespace

std::vector<Line> help_page(std::size_t columns) {
  std::vector<Line> lines;
  for (const Line& line : lines_of_page(text)) {
    const std::string shown = text_of(line);
    std::vector<Line> parts = wrapped(line, columns, shown.starts_with("  ") ? explained_at : 0);
    if (shown == "Keys" || shown == "Columns")
      for (Line& part : parts)
        for (Span& span : part.spans) span.paint = Paint::bold;
    lines.insert(lines.end(), parts.begin(), parts.end());
  }
  return lines;
}

}  // namespace graced
