// Which of four is to blame when graced may not look into its workers.
#include "linux/proc/look_rights.h"

#include <doctest/doctest.h>

using namespace graced;
using Call = LookRights::Call;

namespace {

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a container's filter is blamed where it refuses the call, with what the container takes") {
  const auto why = why_no_descriptor({.call = Call::refused, .filtered = true});
  CHECK(says(why, "the container's seccomp filter refuses pidfd_getfd(2)"));
  CHECK(says(why, "--cap-add=SYS_PTRACE"));
}

TEST_CASE("who has the capability is not told to get it, but to allow the call in the profile") {
  const auto why = why_no_descriptor({.call = Call::refused, .filtered = true, .capability = true});
  CHECK(why == "the container's seccomp filter refuses pidfd_getfd(2): allow the call in its profile");
}

TEST_CASE("a call that is not there is the kernel's doing, unless there is a filter that may hide it") {
  CHECK(why_no_descriptor({.call = Call::missing}) == "this kernel has no pidfd_getfd(2): it takes Linux 5.14");
  CHECK(says(why_no_descriptor({.call = Call::missing, .filtered = true}), "seccomp filter hides it"));
}

TEST_CASE("a filter that lets the call pass is not to blame") {
  CHECK(why_no_descriptor({.filtered = true}) == "it needs CAP_SYS_PTRACE");
}

TEST_CASE("Yama is named where it is the one that forbids") {
  CHECK(says(why_no_descriptor({.yama_scope = 2}), "kernel.yama.ptrace_scope is 2: set it to 1"));
  CHECK(says(why_no_descriptor({.capability = true, .yama_scope = 3}), "kernel.yama.ptrace_scope is 3"));
  CHECK(why_no_descriptor({.yama_scope = 1}) == "it needs CAP_SYS_PTRACE");
  CHECK(says(why_no_look({.capability = true, .yama_scope = 2}), "security module"));
}
