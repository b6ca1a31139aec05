// Which signal well-known servers finish on: what a person may want to be told, never what graced goes by.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy.h"

namespace graced {

// `program`: the executable's name or path ("/usr/sbin/php-fpm8.2"). `drain_signal`: "TERM", what it gets now.
// `words`: its command, where it is known. nullopt: nothing is known of it, or nothing to be done better.
std::optional<std::string> drain_advice(std::string_view program, DrainRule rule, std::string_view drain_signal,
                                        const std::vector<std::string>& words = {});

}  // namespace graced
