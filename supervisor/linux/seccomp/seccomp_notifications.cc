// See seccomp_unotify(2).
#include "linux/seccomp/seccomp_notifications.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace graced {

namespace {

// Linux 6.6: who asks and who answers take turns on one processor, which is faster.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
constexpr unsigned long SECCOMP_IOCTL_NOTIF_SET_FLAGS = SECCOMP_IOW(4, __u64);
constexpr unsigned long SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1;
#endif

// A newer kernel may write more than we know of.
const seccomp_notif_sizes& sizes() {
  static const seccomp_notif_sizes known = [] {
    seccomp_notif_sizes s{};
    if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) != 0) s = {};
    s.seccomp_notif = std::max<__u16>(s.seccomp_notif, sizeof(seccomp_notif));
    s.seccomp_notif_resp = std::max<__u16>(s.seccomp_notif_resp, sizeof(seccomp_notif_resp));
    return s;
  }();
  return known;
}

}  // namespace

SeccompNotifications::SeccompNotifications(Fd fd) : fd_(std::move(fd)) {
  (void)::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

std::optional<seccomp_notif> SeccompNotifications::next() {
  pollfd ready{fd_.get(), POLLIN, 0};
  if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLIN) == 0) return std::nullopt;

  std::vector<char> buffer(sizes().seccomp_notif, '\0');  // the kernel insists on zeros
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, buffer.data()) != 0) return std::nullopt;
  seccomp_notif asked;
  std::memcpy(&asked, buffer.data(), sizeof asked);
  return asked;
}

bool SeccompNotifications::still_asked(std::uint64_t id) const {
  return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool SeccompNotifications::answer(std::uint64_t id, int code) {
  return send(id, code, 0);
}

bool SeccompNotifications::pass(std::uint64_t id) {
  return send(id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int SeccompNotifications::replace(std::uint64_t id, int ours, int number, bool close_on_exec) {
  seccomp_notif_addfd add{};
  add.id = id;
  add.flags = SECCOMP_ADDFD_FLAG_SETFD;
  add.srcfd = static_cast<std::uint32_t>(ours);
  add.newfd = static_cast<std::uint32_t>(number);
  add.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
}

bool SeccompNotifications::send(std::uint64_t id, int code, std::uint32_t flags) {
  std::vector<char> buffer(sizes().seccomp_notif_resp, '\0');
  seccomp_notif_resp response{};
  response.id = id;
  response.error = -code;
  response.flags = flags;
  std::memcpy(buffer.data(), &response, sizeof response);
  return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, buffer.data()) == 0;
}

}  // namespace graced
