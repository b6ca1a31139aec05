// memfd_create(2).
#include "linux/upgrade/state_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>

#include "linux/base/memory_file.h"
#include "linux/base/sys_error.h"

namespace graced {

namespace {

std::runtime_error too_large(std::size_t size, std::size_t limit) {
  return std::runtime_error(fmt::format("the state has {} bytes, and {} are the limit", size, limit));
}

}  // namespace

Fd write_state(std::string_view bytes) {
  if (bytes.size() > largest_state) throw too_large(bytes.size(), largest_state);
  return make_memory_file("graced-state", bytes);
}

bool is_state(int fd) {
  constexpr int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & needed) == needed;
}

std::string read_state(int fd, std::size_t limit) {
  struct stat file {};
  if (::fstat(fd, &file) != 0) throw sys_error("the state in descriptor {}", fd);
  if (!is_state(fd)) throw std::runtime_error(fmt::format("descriptor {} is no sealed file with a state", fd));
  const auto size = static_cast<std::size_t>(file.st_size);
  if (size > limit) throw too_large(size, limit);
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size;) {
    const ssize_t n = ::pread(fd, bytes.data() + at, size - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw sys_error("read the state");
    if (n == 0) throw std::runtime_error("the state ends before its end");
    at += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace graced
