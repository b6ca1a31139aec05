#include "top/line.h"

#include <algorithm>
#include <utility>

#include "core/columns.h"
#include "core/utf8.h"

namespace graced {
namespace {

struct Code {
  std::string_view text;
  Paint paint;
};
constexpr Code codes[]{{"\x1b[0m", Paint::plain},  {"\x1b[1m", Paint::bold},    {"\x1b[2m", Paint::dim},
                       {"\x1b[32m", Paint::green}, {"\x1b[33m", Paint::yellow}, {"\x1b[31m", Paint::red}};

void append(Line& line, std::string_view text, Paint paint) {
  if (text.empty()) return;
  if (!line.spans.empty() && line.spans.back().paint == paint)
    line.spans.back().text += text;
  else
    line.spans.push_back({std::string(text), paint});
}

Line line_of_page(std::string_view text) {
  Line line;
  Paint paint = Paint::plain;
  while (!text.empty()) {
    const std::size_t escape = std::min(text.find('\x1b'), text.size());
    append(line, text.substr(0, escape), paint);
    text.remove_prefix(escape);
    const auto code = std::ranges::find_if(codes, [&](const Code& c) { return text.starts_with(c.text); });
    if (code != std::end(codes)) {
      paint = code->paint;
      text.remove_prefix(code->text.size());
    } else if (!text.empty()) {
      text.remove_prefix(1);  // nobody's but ours is in a page
    }
  }
  for (Span& span : line.spans) std::ranges::replace(span.text, '\t', ' ');
  return line;
}

// How much of a text has room, in bytes.
std::size_t beginning_within(std::string_view text, std::size_t columns) {
  std::size_t kept = 0;
  for (std::size_t used = 0; kept < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, decode_utf8(text.substr(kept)).length);
    used += columns_of(text.substr(kept, length));
    if (used > columns) break;
    kept += length;
  }
  return kept;
}

}  // namespace

Line line_of(std::string_view text, Paint paint) {
  Line line;
  append(line, text, paint);
  return line;
}

std::string text_of(const Line& line) {
  std::string text;
  for (const Span& span : line.spans) text += span.text;
  return text;
}

std::size_t columns_of(const Line& line) {
  std::size_t columns = 0;
  for (const Span& span : line.spans) columns += columns_of(span.text);
  return columns;
}

std::vector<Line> lines_of_page(std::string_view page) {
  std::vector<Line> lines;
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    lines.push_back(line_of_page(page.substr(0, end)));
    page.remove_prefix(std::min(end + 1, page.size()));
  }
  return lines;
}

std::vector<Line> lines_of_table(const std::vector<std::vector<Cell>>& rows) {
  Page page{true};
  page.table("", rows);
  return lines_of_page(std::move(page).text());
}

std::vector<Line> wrapped(const Line& line, std::size_t columns, std::optional<std::size_t> indent) {
  columns = std::max<std::size_t>(columns, 10);
  const std::string text = text_of(line);
  const std::size_t farther = std::min(text.find_first_not_of(' '), text.size()) + 2;
  const std::size_t margin = std::min(indent.value_or(farther), columns / 2);
  std::vector<Line> lines{Line{{}, line.chosen}};
  std::size_t room = columns;
  for (const Span& span : line.spans) {
    std::string_view rest = span.text;
    while (!rest.empty()) {
      std::size_t now = beginning_within(rest, room);
      if (now < rest.size()) {
        // Between words, if there is a place in the second half.
        const std::size_t blank = rest.substr(0, now + 1).rfind(' ');
        if (blank != std::string_view::npos && blank > now / 2) now = blank;
      }
      append(lines.back(), rest.substr(0, now), span.paint);
      room -= columns_of(rest.substr(0, now));
      rest.remove_prefix(now);
      if (rest.empty()) break;
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
      lines.push_back({{{std::string(margin, ' '), Paint::plain}}, line.chosen});
      room = columns - margin;
    }
  }
  return lines;
}

Line cut(const Line& line, std::size_t columns) {
  if (columns_of(line) <= columns) return line;
  Line kept{{}, line.chosen};
  std::size_t room = columns;
  for (const Span& span : line.spans) {
    const std::size_t width = columns_of(span.text);
    if (width >= room) {
      append(kept, room == 0 ? "" : shortened(span.text + "  ", room), span.paint);
      break;
    }
    append(kept, span.text, span.paint);
    room -= width;
  }
  return kept;
}

}  // namespace graced
