// proc(5): /proc/TID/syscall has the number of the call and its arguments as the thread's own
// registers had them, so those of a 32-bit program are numbered as its own kernel would.
#include "linux/proc/awaited.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <optional>

#include "linux/proc/proc_file.h"
#include "linux/proc/proc_text.h"

namespace graced {

namespace {

enum class Kind {
  other,
  one,     // the first argument is the descriptor
  poll,    // an array of pollfd and its length
  select,  // the highest descriptor and a set
  socketcall,
};

constexpr unsigned long most_polled = 4096;

// None of these numbers is, in 64 bits, a call that a server waits in.
Kind kind_in_32_bits([[maybe_unused]] long number) {
#if defined(__x86_64__)
  switch (number) {
    case 102:
      return Kind::socketcall;
    case 142:  // select
    case 308:  // pselect6
    case 413:  // pselect6_time64
      return Kind::select;
    case 168:  // poll
    case 309:  // ppoll
    case 414:  // ppoll_time64
      return Kind::poll;
    case 256:  // epoll_wait
    case 319:  // epoll_pwait
    case 337:  // recvmmsg
    case 364:  // accept4
    case 371:  // recvfrom
    case 372:  // recvmsg
    case 417:  // recvmmsg_time64
      return Kind::one;
    default:
      break;
  }
#endif
  return Kind::other;
}

Kind kind_of(long number) {
  switch (number) {
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
    case SYS_epoll_pwait2:
#endif
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_read:
      return Kind::one;
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
      return Kind::poll;
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
      return Kind::select;
    default:
      return kind_in_32_bits(number);
  }
}

template <class T>
bool read_memory(pid_t thread, unsigned long address, T* into, std::size_t count) {
  iovec here{into, sizeof(T) * count};
  iovec there{reinterpret_cast<void*>(address), sizeof(T) * count};
  return ::process_vm_readv(thread, &here, 1, &there, 1, 0) == static_cast<ssize_t>(here.iov_len);
}

std::vector<int> polled(pid_t thread, unsigned long address, unsigned long count) {
  std::vector<pollfd> set(std::min(count, most_polled));
  std::vector<int> found;
  if (set.empty() || !read_memory(thread, address, set.data(), set.size())) return found;
  for (const pollfd& p : set) {
    if (p.fd >= 0 && (p.events & POLLIN) != 0) found.push_back(p.fd);
  }
  return found;
}

// As the kernel has it: bits in words, of which the set has no more than it needs.
std::vector<int> selected(pid_t thread, unsigned long highest, unsigned long address) {
  constexpr std::size_t bits = sizeof(std::uint32_t) * CHAR_BIT;
  std::vector<std::uint32_t> words((std::min<unsigned long>(highest, FD_SETSIZE) + bits - 1) / bits);
  std::vector<int> found;
  if (words.empty() || address == 0 || !read_memory(thread, address, words.data(), words.size())) return found;
  for (std::size_t fd = 0; fd < std::min<unsigned long>(highest, FD_SETSIZE); ++fd) {
    if ((words[fd / bits] >> (fd % bits) & 1) != 0) found.push_back(static_cast<int>(fd));
  }
  return found;
}

std::vector<int> in_socketcall(pid_t thread, unsigned long call, unsigned long address) {
  constexpr std::array<unsigned long, 6> waiting = {5, 10, 12, 17, 18, 19};  // accept, recv and their like
  std::uint32_t first = 0;
  if (std::ranges::find(waiting, call) == waiting.end() || !read_memory(thread, address, &first, 1)) return {};
  return {static_cast<int>(first)};
}

}  // namespace

Awaited awaited_by(pid_t thread) {
  errno = 0;
  const auto text = contents_of(fmt::format("/proc/{}/syscall", thread));
  // The file itself can be read by anybody or not be there in this kernel; what is in it is refused.
  if (!text) {
    const bool gone = errno == ESRCH || !contents_of(fmt::format("/proc/{}/stat", thread));
    return {{}, !gone};
  }
  const auto call = parse_syscall(*text);
  if (!call) return {};
  const auto& argument = call->arguments;
  switch (kind_of(call->number)) {
    case Kind::other:
      return {};
    case Kind::one:
      return {{static_cast<int>(argument[0])}};
    case Kind::poll:
      return {polled(thread, argument[0], argument[1])};
    case Kind::select:
      return {selected(thread, argument[0], argument[1])};
    case Kind::socketcall:
      return {in_socketcall(thread, argument[0], argument[1])};
  }
  return {};
}

}  // namespace graced
