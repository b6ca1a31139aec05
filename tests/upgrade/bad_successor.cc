// What calls itself a graced of another version when it is called to take over, and is bad in one of many ways.
// In which one is in its file (`variant`): tests make images by changing it there. It reads no state, as its
// faults are those of any program.
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "linux/upgrade/resume_guard.h"
#include "linux/upgrade/trial_answer.h"
#include "linux/upgrade/upgrade_call.h"

namespace graced {
namespace {

constexpr const char* version = "0.3.0+bad";

const volatile char variant_in_file[48] = "graced-variant:exits-1";

std::string variant() {
  std::string text;
  for (const volatile char* c = variant_in_file; *c; ++c) text += *c;
  return text.substr(text.find(':') + 1);
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

// On trial. Those that are bad later only are good here.
int answer(const UpgradeCall& call) {
  const std::string how = variant();
  if (how == "exits-1") {
    std::fprintf(stderr, "a library is missing\n");
    return 1;
  }
  if (how == "aborts") std::abort();
  if (how == "hangs") wait_for_ever();
  if (how == "refuses") {
    answer_no(call.answer, "it does not read states of format 1");
    return 0;
  }
  answer_yes(call.answer, version);
  return 0;
}

// Called to take over. Nothing is caught.
void resume(const UpgradeCall& call, char** arguments) {
  ResumeGuard guard(call, arguments);
  const std::string how = variant();
  if (how == "crashes-after") {
    void* nobodys = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(nobodys) = 1;
  }
  if (how == "aborts-after") std::abort();
  if (how == "hangs-after") wait_for_ever();
  if (how == "exits-after") std::exit(3);
  if (how == "throws-after") throw std::runtime_error("it lost its way");
  guard.give_up("it has no such behaviour: " + how);
}

}  // namespace
}  // namespace graced

int main(int, char** arguments) {
  const auto call = graced::take_upgrade_call();
  if (!call) return 2;
  if (call->kind == graced::UpgradeCall::Kind::trial) return graced::answer(*call);
  graced::resume(*call, arguments);
}
