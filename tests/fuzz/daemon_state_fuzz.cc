// What one graced hands to the next, as a whole: read, or refused with one line; what is read is written so
// that it is read as the same.
#include <string>

#include "daemon/daemon_state.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string text = graced::daemon_state_text(graced::read_daemon_state(fuzz::text_of(data, size)));
    fuzz::promise(graced::daemon_state_text(graced::read_daemon_state(text)) == text,
                  "what is read is read again as it is written");
  } catch (const graced::StateError& error) {
    fuzz::promise(fuzz::is_one_line(error.what()), "a complaint is one line");
  }
  return 0;
}
