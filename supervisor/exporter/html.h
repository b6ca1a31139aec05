// Text, parts of an address and whole pages as HTML has them. What comes from outside goes through here.
#pragma once

#include <string>
#include <string_view>

namespace graced {

// Safe between tags and between double quotes; control characters and bytes that are not UTF-8 as printable()
// shows them.
std::string html_text(std::string_view text);

// One part of a path: all but letters, digits and -._~ as %XX.
std::string path_part(std::string_view text);

// main: HTML. state: of all that is shown, a word for the style: "well", "bad".
std::string html_page(std::string_view title, std::string_view state, std::string_view main);

}  // namespace graced
