#include "exporter/html.h"

#include <fmt/format.h>

#include "core/printable.h"

namespace graced {

std::string html_text(std::string_view text) {
  std::string safe;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string path_part(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string part;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      part += c;
    } else {
      part += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return part;
}

std::string html_page(std::string_view title, std::string_view state, std::string_view main) {
  return fmt::format(
      R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{}</title>
<link rel="icon" href="/page.svg">
<link rel="stylesheet" href="/page.css">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<script src="/page.js" defer></script>
</head>
<body>
<header><a href="/">graced</a> <span id="live" role="status"></span></header>
<main class="{}">
{}</main>
<footer>For programs: <a href="/metrics">metrics</a>, <a href="/api/v1/instances">JSON</a> and
<a href="/api/v1/events">events</a></footer>
</body>
</html>
)",
      html_text(title), html_text(state), main);
}

}  // namespace graced
