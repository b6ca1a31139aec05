// A question to many instances at once. One that hangs keeps nobody else waiting.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/control/control_question.h"

namespace graced {

enum class Stragglers {
  wait_for,  // as long as for everybody
  leave,     // once half of them have answered: a few times as long as the slowest of those took, or a moment
};

inline constexpr Duration a_moment = 200ms;

// What each of them answers to one of the questions that change nothing, in the order of `paths`. most: how
// long to wait for one that gives no sign of life, which is `timed_out` then. All of them wait together.
// moment: nobody is left for less.
std::vector<ControlAnswer> ask_all(const std::vector<std::string>& paths, Duration most, Stragglers,
                                   ControlAsk what = ControlAsk::report, Duration moment = a_moment);

// Asks each for a reload, in the order of `paths`, `at_once` of them at a time. limit: how long to wait for the
// outcome of one, may be `infinity`; none: only ask. told: the outcome of paths[index], as they come; false:
// begin no other one. The outcomes of those that have begun are told all the same.
void reload_each(const std::vector<std::string>& paths, std::size_t at_once, std::optional<Duration> limit,
                 const std::function<bool(std::size_t index, const ControlAnswer&)>& told);

}  // namespace graced
