// The receiving end of sd_notify(3).
#include "linux/worker/notify_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "linux/base/sys_error.h"
#include "linux/base/umask_scope.h"
#include "linux/base/unix_address.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

namespace graced {

namespace {

constexpr std::size_t longest_message = 4096;  // as systemd: PIPE_BUF
constexpr std::size_t most_descriptors = 253;  // SCM_MAX_FD
constexpr int receive_buffer = 1 << 20;        // a burst of many workers must not make them wait

}  // namespace

NotifySocket::NotifySocket(std::string path) : path_(std::move(path)) {
  socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) throw sys_error("create the notify socket");

  const auto address = unix_path_address(path_);
  if (!address) throw sys_error("notify socket {}", path_);
  ::unlink(path_.c_str());  // of a graced that was killed; a living one holds the lock beside it
  {
    const UmaskScope everybody{0111};
    if (::bind(socket_.get(), address->get(), address->length) != 0) throw sys_error("notify socket {}", path_);
  }

  constexpr int on = 1;
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    throw sys_error("notify socket {}", path_);
  }
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
}

bool NotifySocket::wait(Duration limit) const {
  pollfd p{socket_.get(), POLLIN, 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  return ::poll(&p, 1, static_cast<int>(ms)) == 1;
}

NotifySocket::~NotifySocket() {
  if (socket_) ::unlink(path_.c_str());
}

std::optional<Notification> NotifySocket::receive() {
  std::array<char, longest_message + 1> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int)) +
                                        CMSG_SPACE(most_descriptors * sizeof(int))>
      control;
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();

  const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    throw sys_error("read the notify socket");
  }

  Notification said;
  std::vector<Fd> unwanted;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_CREDENTIALS) {
      ucred who;
      std::memcpy(&who, CMSG_DATA(c), sizeof who);
      said.sender = who.pid;
      said.sender_user = who.uid;
    } else if (c->cmsg_type == SCM_PIDFD) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
      said.sender_pidfd = Fd(fd);
    } else if (c->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        unwanted.emplace_back(fd);
      }
    }
  }
  if ((message.msg_flags & MSG_TRUNC) != 0 || static_cast<std::size_t>(n) > longest_message) said.sender = 0;
  said.text.assign(text.data(), std::min(static_cast<std::size_t>(n), longest_message));
  return said;
}

}  // namespace graced
