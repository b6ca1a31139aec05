// What the program that directs datagrams costs: processor time of one that is sent over loopback and received,
// by one of many flows. usage: datagrams DATAGRAMS; a line of JSON with nanoseconds each: without a program,
// with one that remembers no flow, and with one that does.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "linux/base/inode.h"
#include "linux/base/sys_error.h"
#include "linux/steering/udp_flows.h"

namespace graced {
namespace {

constexpr int senders = 256;
constexpr int at_once = 64;
constexpr int rounds = 15;

class Server {
 public:
  // most: flows; none: no program.
  explicit Server(std::optional<unsigned> most) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof where;
    auto* const name = reinterpret_cast<sockaddr*>(&where);
    if (::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
        ::bind(fd_.get(), name, length) < 0 || ::getsockname(fd_.get(), name, &length) < 0)
      throw sys_error("a socket to send to");
    if (most) {
      flows_ = std::make_unique<UdpFlows>(SteeringMethod::ebpf, *most, 30s);
      flows_->join("bench", fd_.get(), inode_of(fd_.get()));
      flows_->direct("bench", {inode_of(fd_.get())});
    }
    for (int i = 0; i < senders; ++i) {
      Fd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      if (!sender || ::connect(sender.get(), name, length) < 0) throw sys_error("a socket to send from");
      senders_.push_back(std::move(sender));
    }
  }

  // Nanoseconds of the processor's, for each.
  double exchange(int datagrams) {
    std::array<char, 64> text{};
    const double before = processor_time();
    for (int sent = 0; sent < datagrams; sent += at_once) {
      for (int i = 0; i < at_once; ++i) {
        const auto& sender = senders_[static_cast<std::size_t>(sent + i) % senders_.size()];
        if (::send(sender.get(), text.data(), text.size(), 0) < 0) throw sys_error("send");
      }
      for (int i = 0; i < at_once; ++i) {
        if (::recv(fd_.get(), text.data(), text.size(), 0) < 0) throw sys_error("recv");
      }
    }
    return (processor_time() - before) / datagrams;
  }

 private:
  static double processor_time() {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  }

  Fd fd_;
  std::unique_ptr<UdpFlows> flows_;
  std::vector<Fd> senders_;
};

void run(int datagrams) {
  std::array<Server, 3> servers{Server(std::nullopt), Server(0), Server(16384)};
  std::array<std::vector<double>, 3> took;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < servers.size(); ++i) took[i].push_back(servers[i].exchange(datagrams / rounds));
  }
  for (auto& each : took) std::ranges::nth_element(each, each.begin() + rounds / 2);
  fmt::print("{{\"no_program\": {:.0f}, \"no_flows\": {:.0f}, \"flows\": {:.0f}}}\n", took[0][rounds / 2],
             took[1][rounds / 2], took[2][rounds / 2]);
}

}  // namespace
}  // namespace graced

int main(int argc, char** argv) try {
  graced::run(argc > 1 ? std::atoi(argv[1]) : 1'000'000);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "datagrams: {}\n", e.what());
  return 1;
}
