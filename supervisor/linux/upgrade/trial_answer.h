// What an image on trial says to the one that tries it: one line in a pipe.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace graced {

// Bytes of why an image does not take over: more are not told.
inline constexpr std::size_t longest_reason = 1000;

// Whom a process runs as, and what it may.
struct Rights {
  uid_t user;
  gid_t group;
  std::uint64_t capabilities;  // effective ones; bit N is number N
};
Rights own_rights();

// The image on trial says that it can take over, or why not. What comes of it is decided by the other side, by
// the rights that it has as well. Never throws: an answer that cannot be written is none.
void answer_yes(int fd, std::string_view version) noexcept;
void answer_no(int fd, std::string_view why) noexcept;

struct TrialAnswer {
  bool yes = false;
  std::optional<Rights> rights{};  // none: it says no, and does not say them
  std::string version{};           // printable
  std::string no{};                // one line, printable
};
// nullopt: it is no answer.
std::optional<TrialAnswer> parse_answer(std::string_view text);

// Empty: who has `next` may all that who has `now` may. Else what is missing, as the end of a sentence.
std::string missing_rights(const Rights& now, const Rights& next);

}  // namespace graced
