// Words to whoever supervises, by the protocol of sd_notify(3): datagrams of VARIABLE=value lines
// to the socket named in NOTIFY_SOCKET.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "graced/child.hpp"
#include "owned_fd.h"
#include "poll_for.h"

namespace graced::child {
namespace {

constexpr time_t send_limit_s = 5;

bool fail(int code) {
  errno = code;
  return false;
}

// pass_fd: goes along as SCM_RIGHTS, -1 for none.
bool send_to_supervisor(std::string_view text, int pass_fd) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return fail(0);
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  if (*path != '/' && *path != '@') return fail(EAFNOSUPPORT);
  if (size < 2) return fail(EINVAL);
  if (size >= sizeof un.sun_path) return fail(ENAMETOOLONG);
  std::memcpy(un.sun_path, path, size);
  const bool abstract = *path == '@';
  if (abstract) un.sun_path[0] = '\0';

  const OwnedFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return false;
  const timeval limit{send_limit_s, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);

  iovec words{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = &un;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
  message.msg_iov = &words;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (pass_fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &pass_fd, sizeof pass_fd);
  }
  ssize_t sent;
  do { sent = ::sendmsg(fd.get(), &message, MSG_NOSIGNAL); } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return true;
  const int refused = errno;
  return fail(refused == EAGAIN ? ETIMEDOUT : refused);
}

}  // namespace

bool notify(std::string_view assignments) noexcept {
  return send_to_supervisor(assignments, -1);
}

bool ready() noexcept {
  return notify("READY=1");
}

bool stopping() noexcept {
  return notify("STOPPING=1");
}

bool status(std::string_view text) noexcept try {
  std::string line = "STATUS=" + std::string(text);
  // A line break would begin another assignment.
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return notify(line);
} catch (const std::bad_alloc&) { return fail(ENOMEM); }

bool extend_timeout(std::chrono::microseconds from_now) noexcept {
  if (from_now.count() < 0) return fail(EINVAL);
  char text[sizeof "EXTEND_TIMEOUT_USEC=" + 20];
  std::snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%lld", static_cast<long long>(from_now.count()));
  return notify(text);
}

// The supervisor closes the descriptor that comes with BARRIER=1 when it gets to it, after all that
// was sent before; the last writer gone is what poll sees as POLLHUP.
bool barrier(std::chrono::milliseconds limit) noexcept {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  const OwnedFd reader(ends[0]);
  OwnedFd writer(ends[1]);
  if (!send_to_supervisor("BARRIER=1", writer.get())) return false;
  writer.close();

  const int n = poll_for(reader.get(), 0, limit);
  return n > 0 || (n == 0 && fail(ETIMEDOUT));
}

}  // namespace graced::child
