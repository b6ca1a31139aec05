// What a worker's bind, listen, unlink, rename or link is about: numbers, and memory of the worker's, which is
// this process here. 6 bytes: architecture, call and three arguments; the rest is what the pointer leads to.
#include <linux/audit.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "fuzz.h"
#include "linux/adoption/adopted_socket.h"
#include "linux/adoption/adoption_request.h"
#include "linux/base/fd.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/listen_socket.h"

using namespace graced;

namespace {

constexpr std::array calls = {SYS_bind,     SYS_listen, SYS_unlinkat,  361, 363, 10,  301, 102,
                              SYS_renameat, SYS_linkat, SYS_renameat2, 38,  302, 353, 9,   303};

void read_address(const AdoptionRequest& request) {
  static const Fd tcp(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  static const Fd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(request);
  if (!address) return;
  fuzz::promise(address->length == request.length && address->length <= sizeof address->storage,
                "an address is as long as it was said to be");
  static_cast<void>(group_key(tcp.get(), *address));
  static_cast<void>(group_key(local.get(), *address));
  const int family = address->storage.ss_family;
  if (family == AF_INET || family == AF_INET6) static_cast<void>(address_text(*address, AddressKind::tcp));
  if (family == AF_UNIX) {
    fuzz::promise(fuzz::is_one_line(address_text(*address, AddressKind::unix_stream)),
                  "an address is shown in one line");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  // A page of its own size, so that what lies behind it is not read as if it were meant.
  const std::string memory(reinterpret_cast<const char*>(data) + 6, size - 6);
  const auto pointer = (data[5] & 1) != 0 ? data[5] : reinterpret_cast<std::uint64_t>(memory.data());

  seccomp_notif asked{};
  asked.id = 1;
  asked.pid = static_cast<std::uint32_t>(::gettid());
  asked.data.arch = data[0] % 2 == 0 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386;
  asked.data.nr = calls[data[1] % calls.size()];
  asked.data.args[0] = data[2];
  asked.data.args[1] = pointer;
  asked.data.args[2] =
      (data[3] & 0x80) != 0 ? data[4] * 0x01010101ULL : std::min<std::uint64_t>(data[4], memory.size());

  asked.data.args[3] = pointer + 1;
  asked.data.args[4] = data[4];

  const AdoptionRequest request = request_of(asked);
  switch (request.call) {
    case AdoptionRequest::Call::bind:
      read_address(request);
      break;
    case AdoptionRequest::Call::unlink:
    case AdoptionRequest::Call::rename:
    case AdoptionRequest::Call::link:
      for (const std::uint64_t at : {request.pointer, request.to_pointer}) {
        if (const auto path = path_at(request.thread, at)) {
          fuzz::promise(path->find('\0') == std::string::npos, "a path ends at its NUL");
        }
      }
      break;
    case AdoptionRequest::Call::listen:
    case AdoptionRequest::Call::other:
      break;
  }
  return 0;
}
