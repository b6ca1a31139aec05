#include "linux/steering/udp_flows.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "linux/base/inode.h"
#include "linux/sockets/group_key.h"
#include "taken_over.h"

using namespace graced;

namespace {

constexpr const char* key = "udp";

class Address {
 public:
  explicit Address(int family) : family_(family) {}

  Fd bind() {
    Fd fd(::socket(family_, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    if (length_ == 0) first_name();
    REQUIRE(::bind(fd.get(), name(), length_) == 0);
    socklen_t size = sizeof where_;
    REQUIRE(::getsockname(fd.get(), name(), &size) == 0);
    return fd;
  }

  Fd client() {
    Fd fd(::socket(family_, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), name(), length_) == 0);
    return fd;
  }

 private:
  void first_name() {
    if (family_ == AF_INET) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      length_ = sizeof v4;
      std::memcpy(&where_, &v4, sizeof v4);
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_addr = in6addr_loopback;
      length_ = sizeof v6;
      std::memcpy(&where_, &v6, sizeof v6);
    }
  }
  sockaddr* name() { return reinterpret_cast<sockaddr*>(&where_); }

  int family_;
  sockaddr_storage where_{};
  socklen_t length_ = 0;
};

void say(const Fd& client) {
  REQUIRE(::send(client.get(), "x", 1, 0) == 1);
}

int heard(const Fd& server) {
  int many = 0;
  std::array<char, 8> text;
  while (::recv(server.get(), text.data(), text.size(), 0) > 0) ++many;
  return many;
}

bool can_use_ebpf() {
  return probe_steering().method == SteeringMethod::ebpf;
}

struct Story {
  Address address;
  UdpFlows flows;

  Story(int family, SteeringMethod method, unsigned most = 64, Duration timeout = 1h)
      : address(family), flows(method, most, timeout) {}

  Fd bind() {
    Fd fd = address.bind();
    flows.join(key, fd.get(), inode_of(fd.get()));
    return fd;
  }
  void direct(std::initializer_list<const Fd*> to) {
    std::set<ino_t> chosen;
    for (const Fd* fd : to) chosen.insert(inode_of(fd->get()));
    flows.direct(key, chosen);
  }
  void close(Fd& gone, std::initializer_list<const Fd*> left) {
    std::set<ino_t> held;
    for (const Fd* fd : left) held.insert(inode_of(fd->get()));
    gone.reset();
    flows.keep_only(held);
  }
};

}  // namespace

TEST_CASE("a flow stays with the socket that it began with, a new one goes to the chosen one") {
  if (!can_use_ebpf()) return;
  for (const int family : {AF_INET, AF_INET6}) {
    CAPTURE(family);
    Story s(family, SteeringMethod::ebpf);
    const Fd old = s.bind();
    s.direct({&old});
    const Fd before = s.address.client();
    say(before);
    const Fd next = s.bind();
    const Fd meanwhile = s.address.client();
    say(meanwhile);
    CHECK(heard(next) == 0);
    s.direct({&next});
    const Fd after = s.address.client();
    for (const Fd* client : {&before, &meanwhile, &after}) say(*client);
    CHECK(heard(old) == 4);
    CHECK(heard(next) == 1);
    CHECK(s.flows.heard(inode_of(old.get()))->datagrams == 4);
    CHECK(s.flows.count_flows() ==
          std::map<ino_t, std::uint64_t>{{inode_of(old.get()), 2}, {inode_of(next.get()), 1}});
  }
}

TEST_CASE("flows stay where they are when another image of graced takes over, and can be let go by that") {
  if (!can_use_ebpf()) return;
  Story s(AF_INET, SteeringMethod::ebpf);
  const Fd old = s.bind();
  s.direct({&old});
  const Fd first = s.address.client();
  say(first);
  const Fd next = s.bind();
  s.direct({&next});
  const Fd second = s.address.client();
  say(second);
  take_over(s.flows);
  for (const Fd* client : {&first, &second}) say(*client);
  CHECK(heard(old) == 2);
  CHECK(heard(next) == 2);

  const Fd third = s.bind();
  s.direct({&third});
  s.flows.let_flows_go(inode_of(old.get()));
  take_over(s.flows);
  for (const Fd* client : {&first, &second}) say(*client);
  CHECK(heard(old) == 0);
  CHECK(heard(next) == 1);
  CHECK(heard(third) == 1);
  CHECK(s.flows.heard(inode_of(next.get()))->datagrams == 3);
}

TEST_CASE("flows that are let go reach the chosen one, and what has come before is still to be read") {
  if (!can_use_ebpf()) return;
  Story s(AF_INET, SteeringMethod::ebpf);
  const Fd old = s.bind();
  s.direct({&old});
  const Fd client = s.address.client();
  say(client);
  const Fd next = s.bind();
  s.direct({&next});
  s.flows.let_flows_go(inode_of(old.get()));
  say(client);
  CHECK(s.flows.anything_waits(inode_of(old.get())));
  CHECK(heard(old) == 1);
  CHECK(!s.flows.anything_waits(inode_of(old.get())));
  CHECK(heard(next) == 1);
  CHECK(s.flows.count_flows() == std::map<ino_t, std::uint64_t>{{inode_of(next.get()), 1}});

  s.direct({&old});  // a rollback
  const Fd new_client = s.address.client();
  say(new_client);
  say(client);
  CHECK(heard(old) == 1);
  CHECK(heard(next) == 1);
}

TEST_CASE("a flow that was silent for too long begins anew") {
  if (!can_use_ebpf()) return;
  Story s(AF_INET, SteeringMethod::ebpf, 64, Duration::zero());
  const Fd old = s.bind();
  s.direct({&old});
  const Fd client = s.address.client();
  say(client);
  const Fd next = s.bind();
  s.direct({&next});
  say(client);
  CHECK(heard(next) == 1);
}

TEST_CASE("a socket that comes into the place of a closed one does not get its flows") {
  if (!can_use_ebpf()) return;
  Story s(AF_INET, SteeringMethod::ebpf);
  Fd old = s.bind();
  s.direct({&old});
  const Fd client = s.address.client();
  say(client);
  const Fd serving = s.bind();
  s.direct({&serving});
  s.close(old, {&serving});
  const Fd later = s.bind();
  say(client);
  CHECK(heard(serving) == 1);
  CHECK(heard(later) == 0);
}

TEST_CASE("several sockets of a generation share its flows, and those of one that is closed go to the others") {
  for (const auto method : {SteeringMethod::ebpf, SteeringMethod::cbpf}) {
    if (method == SteeringMethod::ebpf && !can_use_ebpf()) continue;
    for (const int family : {AF_INET, AF_INET6}) {
      CAPTURE(family);
      Story s(family, method);
      Fd one = s.bind();
      const Fd other = s.bind();
      const Fd candidate = s.bind();
      s.direct({&one, &other});
      std::vector<Fd> clients;
      for (int i = 0; i < 40; ++i) clients.push_back(s.address.client());
      for (const Fd& client : clients) say(client);
      const int of_one = heard(one);
      CHECK(of_one > 0);
      CHECK(heard(other) == 40 - of_one);
      for (const Fd& client : clients) say(client);
      CHECK(heard(one) == of_one);
      CHECK(heard(other) == 40 - of_one);
      s.close(one, {&other, &candidate});
      for (const Fd& client : clients) say(client);
      CHECK(heard(other) == 40);
      CHECK(heard(candidate) == 0);
    }
  }
}

TEST_CASE("without eBPF, and where none is to be remembered, all goes to the chosen one") {
  for (const auto method : {SteeringMethod::ebpf, SteeringMethod::cbpf}) {
    if (method == SteeringMethod::ebpf && !can_use_ebpf()) continue;
    Story s(AF_INET, method, 0);
    const Fd old = s.bind();
    s.direct({&old});
    const Fd client = s.address.client();
    say(client);
    const Fd next = s.bind();
    say(client);
    CHECK(heard(old) == 2);
    s.direct({&next});
    say(client);
    CHECK(heard(next) == 1);
    CHECK(!s.flows.remembers());
    CHECK(s.flows.heard(inode_of(next.get())).has_value() == (method == SteeringMethod::ebpf));
  }
}

TEST_CASE("only as many flows as were asked for are remembered") {
  if (!can_use_ebpf()) return;
  Story s(AF_INET, SteeringMethod::ebpf, 16);
  const Fd old = s.bind();
  s.direct({&old});
  for (int i = 0; i < 2000; ++i) say(s.address.client());
  CHECK(s.flows.count_flows().at(inode_of(old.get())) <= 2000 / 2);
}

TEST_CASE("who has put a socket into an array of his own keeps his program") {
  if (!can_use_ebpf()) return;
  Story s(AF_INET, SteeringMethod::ebpf);
  const Fd old = s.bind();
  const Fd array = make_socket_array(8);
  put_into(array.get(), 0, old.get());
  CHECK_THROWS_WITH_AS(s.direct({&old}), "BPF_MAP_UPDATE_ELEM: Device or resource busy", std::system_error);
  CHECK(!s.flows.is_directed(key));
}

TEST_CASE("sockets of udp have one key where the kernel makes one group of them") {
  Address v4(AF_INET);
  const Fd one = v4.bind();
  const Fd other = v4.bind();
  CHECK(datagram_key(one.get()) == datagram_key(other.get()));
  CHECK(datagram_key(one.get()).starts_with("udp 127.0.0.1:"));
  Address v6(AF_INET6);
  const Fd six = v6.bind();
  CHECK(datagram_key(six.get()).starts_with("udp [::1]:"));
  const Fd stream(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(datagram_key(stream.get()).empty());
}
