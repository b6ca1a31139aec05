// The exec by which another image takes the place of this one.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/upgrade/named_descriptor.h"
#include "linux/upgrade/new_image.h"
#include "linux/upgrade/upgrade_call.h"

namespace graced {

// What the other image gets.
struct Succession {
  std::string state;                          // bytes that it understands
  std::vector<NamedDescriptor> carried;       // it takes over; the state names them as well
  std::vector<NamedDescriptor> left;          // CLOEXEC, gone with this image, and made anew by the other
  std::vector<std::string> arguments;         // argv, as this image was called
  std::vector<std::string> environment;       // NAME=VALUE, likewise
  Duration limit = std::chrono::seconds(10);  // from the exec to the commit
};

// Why it cannot be left now, one line each: a descriptor that nobody names, or that is not what its name says.
// Nothing: it can.
std::vector<std::string> faults_of(const Succession& succession);

// Does not return where the other image takes over: it begins with all signals blocked, and is called to
// resume. Signals that come, and children that end, meanwhile, wait for it. Else returns why not, one line, and
// all is as before. Throws std::system_error where there is no descriptor or memory for it, likewise.
std::string become_new_image(const NewImage& image, const Succession& succession);

// For both kinds of call. The signals that are blocked now; the name that this process has.
UpgradeCall call_for(UpgradeCall::Kind kind, int state, Duration limit);

// execveat(2) of what `image` is open for. Returns with errno. Async-signal-safe.
void exec_image(int image, char* const* arguments, char* const* environment) noexcept;

// The words as exec takes them; they point into `words` and `last`, which must stay. `last`: nullptr for none.
std::vector<char*> pointers_to(const std::vector<std::string>& words, const std::string* last = nullptr);

}  // namespace graced
