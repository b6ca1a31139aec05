// LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES as whoever starts graced may set them, a line each.
#include <stdexcept>
#include <string>

#include "fuzz.h"
#include "linux/manager/inherited_sockets.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graced::ListenVariables variables;
  const auto lines = fuzz::cut(fuzz::text_of(data, size), '\n');
  variables.pid = std::string(lines[0]);
  if (lines.size() > 1) variables.fds = std::string(lines[1]);
  if (lines.size() > 2) variables.names = std::string(lines[2]);
  try {
    const auto announced = graced::announced_sockets(variables, 7);
    fuzz::promise(announced.count >= 0, "nobody announces less than nothing");
    fuzz::promise(announced.names.size() <= static_cast<std::size_t>(announced.count),
                  "every name has a socket");
    fuzz::promise(announced.count == 0 || variables.pid->ends_with('7'), "what is for others is not taken");
  } catch (const std::runtime_error& why) {
    fuzz::promise(fuzz::is_one_line(why.what()), "a complaint is one line");
  }
  return 0;
}
