// What `graced top` sorts by.
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace graced {

enum class TopSort { name, phase, connections, queue, cpu, memory, reloads };

inline constexpr std::array<std::pair<std::string_view, TopSort>, 7> top_sorts{{
    {"name", TopSort::name},
    {"phase", TopSort::phase},
    {"connections", TopSort::connections},
    {"queue", TopSort::queue},
    {"cpu", TopSort::cpu},
    {"memory", TopSort::memory},
    {"reloads", TopSort::reloads},
}};

}  // namespace graced
