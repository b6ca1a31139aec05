#include "exporter/html_table.h"

#include <fmt/format.h>

namespace graced {

HtmlTable::HtmlTable(std::vector<std::string_view> headings, std::string_view look)
    : headings_(std::move(headings)) {
  begin_ = fmt::format("<table class=\"{}\">\n<thead><tr>", look);
  for (const std::string_view heading : headings_) begin_ += fmt::format(R"(<th scope="col">{}</th>)", heading);
  begin_ += "</tr></thead>\n<tbody>\n";
}

void HtmlTable::row(const std::vector<HtmlCell>& cells, std::string_view look) {
  rows_ += fmt::format("<tr class=\"{}\">", look);
  for (std::size_t i = 0; i < cells.size(); ++i)
    rows_ +=
        fmt::format(R"(<td data-label="{}" class="{}">{}</td>)", headings_[i], cells[i].look, cells[i].html);
  rows_ += "</tr>\n";
}

std::string HtmlTable::html() const {
  return rows_.empty() ? "" : begin_ + rows_ + "</tbody>\n</table>\n";
}

}  // namespace graced
