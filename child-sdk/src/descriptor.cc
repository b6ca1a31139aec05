// What the kernel tells of a descriptor.
#include "descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "sys_error.h"

namespace graced::child {

Kind kind_of(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    if (errno == ENOTSOCK) return Kind::other;
    throw sys_error("type of descriptor " + std::to_string(fd));
  }
  if (type == SOCK_STREAM) return Kind::stream;
  if (type == SOCK_DGRAM) return Kind::datagram;
  if (type == SOCK_SEQPACKET) return Kind::seqpacket;
  return Kind::other;
}

int family_of(int fd) {
  int family = 0;
  socklen_t length = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0) return family;
  if (errno == ENOTSOCK) return AF_UNSPEC;
  throw sys_error("family of descriptor " + std::to_string(fd));
}

void set_nonblocking(int fd, const std::string& what) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throw sys_error("set O_NONBLOCK on " + what);
}

bool listens(int fd) {
  int yes = 0;
  socklen_t length = sizeof yes;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &length) == 0 && yes != 0;
}

}  // namespace graced::child
