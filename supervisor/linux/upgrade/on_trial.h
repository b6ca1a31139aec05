// How an image on trial ends: with its answer, and with nothing undone.
#pragma once

#include <string_view>

namespace graced {

// What is thrown from now on, and caught by nobody, is the answer: no. Nothing is unwound then, as what was
// made for the trial would be destroyed, and with it files that are those of the image that runs.
void answer_what_is_thrown(int fd) noexcept;

// lost: why it cannot take over, one line; empty: it can.
[[noreturn]] void end_trial(int fd, std::string_view lost, std::string_view version) noexcept;

}  // namespace graced
