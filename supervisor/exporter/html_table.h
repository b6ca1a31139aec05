// A table that is one on a wide screen, and a list of cards on a narrow one: each cell knows its heading.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace graced {

struct HtmlCell {
  std::string html;
  std::string look{};  // words for the style: "number", "bad"
};

class HtmlTable {
 public:
  // look: words for the style, may be empty.
  explicit HtmlTable(std::vector<std::string_view> headings, std::string_view look = "");

  // As many cells as there are headings.
  void row(const std::vector<HtmlCell>& cells, std::string_view look = "");
  std::string html() const;  // empty without rows

 private:
  std::vector<std::string_view> headings_;
  std::string begin_;
  std::string rows_;
};

}  // namespace graced
