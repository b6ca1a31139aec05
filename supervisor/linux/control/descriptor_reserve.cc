#include "linux/control/descriptor_reserve.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "linux/control/control_connection.h"

namespace graced {
namespace {

// Who looks what is wrong, while somebody waits for a reload: each has a socket and what else a connection
// needs, and an answer may need one more.
constexpr std::size_t a_client = 1 + ControlConnection::Descriptors::count;
constexpr std::size_t reserve = 2 * a_client + 1;

Fd make_spare() {
  return Fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

}  // namespace

bool is_for_want_of_descriptors(int code) {
  return code == EMFILE || code == ENFILE;
}

DescriptorReserve::DescriptorReserve() : spare_(make_spare()) {
  keep();
}

bool DescriptorReserve::use() {
  if (reserve_.size() < a_client) return false;
  reserve_.resize(reserve_.size() - a_client);
  return true;
}

void DescriptorReserve::keep() {
  while (reserve_.size() < reserve) {
    Fd one = make_spare();
    if (!one) return;
    reserve_.push_back(std::move(one));
  }
}

std::vector<int> DescriptorReserve::numbers() const {
  std::vector<int> numbers{spare_.get()};
  for (const Fd& fd : reserve_) numbers.push_back(fd.get());
  return numbers;
}

bool DescriptorReserve::turn_one_away(int listening) {
  if (!spare_) return false;
  spare_.reset();
  Fd{::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)}.reset();
  spare_ = make_spare();
  return true;
}

}  // namespace graced
