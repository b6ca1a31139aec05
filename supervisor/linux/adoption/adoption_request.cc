// Numbers of system calls and the memory of others.
#include "linux/adoption/adoption_request.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/audit.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

#include "core/number.h"
#include "linux/base/pidfd.h"
#include "linux/proc/descriptors.h"
#include "linux/proc/proc_file.h"

namespace graced {

namespace {

constexpr int none = -1;

struct CallNumbers {
  std::uint32_t architecture;  // AUDIT_ARCH_*
  int bind, listen, unlink, unlinkat, socketcall;
  int rename, renameat, renameat2, link, linkat;
};

constexpr std::array known_calls = {
#if defined(__x86_64__)
    CallNumbers{AUDIT_ARCH_X86_64, SYS_bind, SYS_listen, SYS_unlink, SYS_unlinkat, none, SYS_rename,
                SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat},
    CallNumbers{AUDIT_ARCH_I386, 361, 363, 10, 301, 102, 38, 302, 353, 9, 303},
#elif defined(__aarch64__)
    CallNumbers{AUDIT_ARCH_AARCH64, SYS_bind, SYS_listen, none, SYS_unlinkat, none, none, SYS_renameat,
                SYS_renameat2, none, SYS_linkat},
    CallNumbers{AUDIT_ARCH_ARM, 282, 284, 10, 328, none, 38, 329, 382, 9, 330},
#else
    // Its filter knows native calls only.
    CallNumbers{0, SYS_bind, SYS_listen, none, SYS_unlinkat, none, none, none, SYS_renameat2, none, SYS_linkat},
#endif
};

constexpr std::uint64_t socketcall_bind = 2;
constexpr std::uint64_t socketcall_listen = 4;

// 0 or an errno; all of it or nothing.
int read_memory(pid_t thread, std::uint64_t address, void* into, std::size_t size) {
  iovec here{into, size};
  iovec there{reinterpret_cast<void*>(address), size};
  const ssize_t n = ::process_vm_readv(thread, &here, 1, &there, 1, 0);
  if (n < 0) return errno;
  return static_cast<std::size_t>(n) == size ? 0 : EFAULT;
}

void set_bind(AdoptionRequest& request, std::uint64_t fd, std::uint64_t address, std::uint64_t length) {
  request.call = AdoptionRequest::Call::bind;
  request.fd = static_cast<int>(fd);
  request.pointer = address;
  request.length = static_cast<std::uint32_t>(length);
}

void set_listen(AdoptionRequest& request, std::uint64_t fd, std::uint64_t backlog) {
  request.call = AdoptionRequest::Call::listen;
  request.fd = static_cast<int>(fd);
  request.number = static_cast<int>(backlog);
}

void set_move(AdoptionRequest& request, AdoptionRequest::Call call, std::uint64_t fd, std::uint64_t path,
              std::uint64_t to_fd, std::uint64_t to_path, std::uint64_t flags) {
  request.call = call;
  request.fd = static_cast<int>(fd);
  request.pointer = path;
  request.to_fd = static_cast<int>(to_fd);
  request.to_pointer = to_path;
  request.number = static_cast<int>(flags);
}

// The arguments lie in the caller's memory.
void set_socketcall(AdoptionRequest& request, std::uint64_t call, std::uint64_t pointer) {
  std::array<std::uint32_t, 3> args{};
  const std::size_t count = call == socketcall_bind ? 3 : 2;
  if (call != socketcall_bind && call != socketcall_listen) return;
  if (read_memory(request.thread, pointer, args.data(), count * sizeof args[0]) != 0) return;
  if (call == socketcall_bind) {
    set_bind(request, args[0], args[1], args[2]);
  } else {
    set_listen(request, args[0], args[1]);
  }
}

}  // namespace

AdoptionRequest request_of(const seccomp_notif& asked) {
  AdoptionRequest request;
  request.id = asked.id;
  request.thread = static_cast<pid_t>(asked.pid);
  const auto calls = known_calls.size() == 1
                         ? known_calls.begin()
                         : std::ranges::find(known_calls, asked.data.arch, &CallNumbers::architecture);
  if (calls == known_calls.end() || request.thread == 0) return request;

  constexpr auto here = static_cast<std::uint64_t>(AT_FDCWD);
  const auto& args = asked.data.args;
  const int number = asked.data.nr;
  if (number == calls->bind) {
    set_bind(request, args[0], args[1], args[2]);
  } else if (number == calls->listen) {
    set_listen(request, args[0], args[1]);
  } else if (number == calls->socketcall) {
    set_socketcall(request, args[0], args[1]);
  } else if (number == calls->unlink) {
    request.call = AdoptionRequest::Call::unlink;
    request.fd = AT_FDCWD;
    request.pointer = args[0];
  } else if (number == calls->unlinkat) {
    request.call = AdoptionRequest::Call::unlink;
    request.fd = static_cast<int>(args[0]);
    request.pointer = args[1];
    request.number = static_cast<int>(args[2]);
  } else if (number == calls->rename) {
    set_move(request, AdoptionRequest::Call::rename, here, args[0], here, args[1], 0);
  } else if (number == calls->renameat) {
    set_move(request, AdoptionRequest::Call::rename, args[0], args[1], args[2], args[3], 0);
  } else if (number == calls->renameat2) {
    set_move(request, AdoptionRequest::Call::rename, args[0], args[1], args[2], args[3], args[4]);
  } else if (number == calls->link) {
    set_move(request, AdoptionRequest::Call::link, here, args[0], here, args[1], 0);
  } else if (number == calls->linkat) {
    set_move(request, AdoptionRequest::Call::link, args[0], args[1], args[2], args[3], args[4]);
  }
  return request;
}

std::optional<SocketAddress> address_of(const AdoptionRequest& request) {
  SocketAddress address;
  if (request.length < sizeof(sa_family_t) || request.length > sizeof address.storage) {
    errno = EINVAL;
    return std::nullopt;
  }
  address.length = request.length;
  errno = read_memory(request.thread, request.pointer, &address.storage, request.length);
  if (errno != 0) return std::nullopt;
  return address;
}

// Page by page: what follows the terminator may not be readable.
std::optional<std::string> path_at(pid_t thread, std::uint64_t pointer) {
  constexpr std::uint64_t page = 4096;
  std::string path;
  std::uint64_t at = pointer;
  while (path.size() < PATH_MAX) {
    std::array<char, page> part;
    const std::size_t size = page - at % page;
    if (read_memory(thread, at, part.data(), size) != 0) return std::nullopt;
    const std::string_view text(part.data(), size);
    const std::size_t end = text.find('\0');
    path += text.substr(0, end);
    if (end != std::string_view::npos) return path;
    at += size;
  }
  return std::nullopt;
}

Fd copy_descriptor(pid_t thread, int number) {
  const Fd process = open_pidfd_of_thread(thread);
  return process ? copy_descriptor(process, number) : Fd();
}

bool closes_on_exec(pid_t thread, int number) {
  constexpr std::string_view key = "flags:\t";
  const std::string info = contents_of(fmt::format("/proc/{}/fdinfo/{}", thread, number)).value_or("");
  const std::size_t at = info.find(key);
  if (at == std::string::npos) return false;
  return (leading_number<unsigned>(std::string_view(info).substr(at + key.size()), 8).value_or(0) &
          O_CLOEXEC) != 0;
}

}  // namespace graced
