// How well-known servers are kept in the foreground: what a person is told, never what graced goes by.
#pragma once

#include <string>
#include <string_view>

namespace graced {

// `program`: the executable's name, "php-fpm8.2".
std::string foreground_advice(std::string_view program);

}  // namespace graced
