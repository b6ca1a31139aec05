// write(2) may take less than it is given.
#include "linux/base/pipe_text.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "linux/base/sys_error.h"

namespace graced {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      throw sys_error("write {} bytes", text.size());
    }
  }
}

std::string read_available(int fd, bool& ended) {
  static std::array<char, 64 * 1024> bytes;
  const ssize_t n = ::read(fd, bytes.data(), bytes.size());
  ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : std::string();
}

}  // namespace graced
