// A descriptor of a test's own, and waiting for it with the one generous limit.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <utility>

inline constexpr int generous_ms = 20'000;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

inline bool readable(int fd, int limit_ms = generous_ms) {
  pollfd event{fd, POLLIN, 0};
  return ::poll(&event, 1, limit_ms) == 1;
}
