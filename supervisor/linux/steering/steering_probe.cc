// What steering can be had here: tried on two sockets of our own, with connections of our own.
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "linux/base/inode.h"
#include "linux/base/sys_error.h"
#include "linux/steering/steering.h"

namespace graced {
namespace {

constexpr int patience_ms = 1000;  // for a packet that has only this machine to cross

class Trial {
 public:
  explicit Trial(SteeringMethod method) : group_(method), old_(listen()), next_(listen()) {}

  // Throws what the kernel refuses. False: it was not refused, but connections go elsewhere. Where the
  // loopback interface is down, what was not refused has to do.
  bool directs() {
    group_.direct_to(std::array{next_.get()});
    const Fd client = connect();
    return !client || (readable(next_) && accept_from(next_));
  }

  bool migrates() {
    group_.direct_to(std::array{old_.get()});
    const Fd client = connect();
    if (!client) return true;
    if (!readable(old_)) return false;
    group_.direct_to(std::array{next_.get()});
    const ino_t inode = inode_of(old_.get());
    old_.reset();  // and by the time this returns the queue has gone wherever it goes
    group_.left({inode});
    return accept_from(next_);
  }

 private:
  Fd listen() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    socklen_t length = sizeof where_;
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
        ::bind(fd.get(), name(), length) < 0 || ::listen(fd.get(), 4) < 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where_), &length) < 0) {
      throw sys_error("two sockets on one loopback port");
    }
    group_.joined(fd.get(), inode_of(fd.get()));
    return fd;
  }

  Fd connect() const {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || (::connect(fd.get(), name(), sizeof where_) < 0 && errno != EINPROGRESS)) return Fd();
    return fd;
  }

  static bool readable(const Fd& fd) {
    pollfd p{fd.get(), POLLIN, 0};
    return ::poll(&p, 1, patience_ms) == 1;
  }

  static bool accept_from(const Fd& listener) {
    return static_cast<bool>(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }

  const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&where_); }

  ReuseportGroup group_;
  sockaddr_in where_ = [] {
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return loopback;
  }();
  Fd old_;
  Fd next_;
};

struct Result {
  bool directs = false;
  bool migrates = false;
  std::string refusal;
};

Result result_of(SteeringMethod method) {
  Result result;
  try {
    Trial trial(method);
    result.directs = trial.directs();
    result.migrates = result.directs && trial.migrates();
    if (!result.directs) result.refusal = "new connections go elsewhere all the same";
  } catch (const std::system_error& error) {
    result.refusal = error.what();
    if (error.code() == std::errc::operation_not_permitted) result.refusal += ": needs CAP_BPF";
    if (error.code() == std::errc::function_not_supported)
      result.refusal += ": the kernel has no CONFIG_BPF_SYSCALL";
  }
  return result;
}

// What end_reading.h does to spare a request that. The kernel used to let everybody filter his own TCP sockets.
bool keeps_data_out() {
  const Fd trial(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    attach_data_dropper(trial.get());
  } catch (const std::system_error&) { return false; }
  return true;
}

}  // namespace

SteeringProbe probe_steering() {
  constexpr std::string_view resets = "what is queued when a worker is gone is reset";
  const Result ebpf = result_of(SteeringMethod::ebpf);
  if (ebpf.directs) {
    return {SteeringMethod::ebpf, ebpf.migrates,
            ebpf.migrates ? "" : fmt::format("eBPF that migrates: needs Linux 5.14; {}", resets)};
  }
  const Result cbpf = result_of(SteeringMethod::cbpf);
  if (cbpf.directs) {
    std::string why = fmt::format(
        "{}; while several generations drain, a new connection now and then reaches an old one", ebpf.refusal);
    if (!cbpf.migrates) why += fmt::format(", and {} (or sysctl net.ipv4.tcp_migrate_req=1)", resets);
    if (!keeps_data_out()) why += "; a request that comes while its connection is closed as idle is reset";
    return {SteeringMethod::cbpf, cbpf.migrates, why};
  }
  return {SteeringMethod::none, false,
          fmt::format("{}; nor classic BPF: {}; new connections cannot be kept from a worker that drains",
                      ebpf.refusal, cbpf.refusal)};
}

}  // namespace graced
