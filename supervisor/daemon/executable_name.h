// What well-known programs are called, whatever their version.
#pragma once

#include <string_view>

namespace graced {

// "/usr/sbin/php-fpm8.2" → "php-fpm"
std::string_view executable_name(std::string_view program);

}  // namespace graced
