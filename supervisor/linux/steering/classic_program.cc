// Classic BPF, for those who may not load the other kind; linux/filter.h has its instructions.
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "linux/base/sys_error.h"
#include "linux/steering/bpf_program.h"
#include "linux/steering/flow_program.h"
#include "linux/steering/packet_layout.h"

namespace graced {
namespace {

using ClassicProgram = std::vector<sock_filter>;

void attach_classic(int socket, int option, std::span<sock_filter> instructions, const char* step) {
  const sock_fprog program{static_cast<unsigned short>(instructions.size()), instructions.data()};
  if (::setsockopt(socket, SOL_SOCKET, option, &program, sizeof program) < 0) throw sys_error("{}", step);
}

// By the number in the accumulator, if there are several.
void return_one_of(ClassicProgram& p, std::span<const unsigned> places) {
  if (places.size() > 1) {
    p.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, static_cast<unsigned>(places.size())));
    for (unsigned i = 0; i + 1 < places.size(); ++i) {
      p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1));
      p.push_back(BPF_STMT(BPF_RET | BPF_K, places[i]));
    }
  }
  p.push_back(BPF_STMT(BPF_RET | BPF_K, places.back()));
}

void return_any_place(ClassicProgram& p, std::span<const unsigned> places) {
  if (places.size() > 1)
    p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_RANDOM)));
  return_one_of(p, places);
}

// As try_probe(): what `then` adds is done for a connection of the probe only. The packet may begin behind its
// TCP header here, so all is counted from the IP header on.
template <class Then>
void if_of_probe(ClassicProgram& p, std::span<const std::uint16_t> first_ports, Then then) {
  const auto at = [](int offset) { return static_cast<unsigned>(SKF_NET_OFF + offset); };
  std::vector<std::size_t> to_others;  // further than a condition can jump
  std::vector<std::size_t> to_probe;
  const auto go = [&](std::vector<std::size_t>& where) {
    where.push_back(p.size());
    p.push_back(BPF_STMT(BPF_JMP | BPF_JA, 0));
  };
  const auto must_be = [&](unsigned compared, unsigned value) {
    p.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | BPF_JEQ | compared), value, 1, 0));
    go(to_others);
  };
  const auto must_come_from_its_port = [&] {
    p.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, probe_port_mask));
    auto to_match = static_cast<std::uint8_t>(first_ports.size());
    for (const std::uint16_t port : first_ports)
      p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, to_match--, 0));
    go(to_others);
  };

  p.push_back(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at(0)));
  p.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4));
  const std::size_t by_family = p.size();
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 0));

  p.push_back(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, at(0)));
  p.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_IND, at(0)));
  must_come_from_its_port();
  p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at(v4_addresses_at + sizeof(in_addr))));
  p.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at(v4_addresses_at)));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 3, 0));
  p.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 24));
  must_be(BPF_K, loopback_network);
  go(to_probe);

  p[by_family].jt = static_cast<std::uint8_t>(p.size() - by_family - 1);
  p.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at(v6_header_length)));
  must_come_from_its_port();
  for (int word = 0; word < 16; word += 4) {
    p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at(v6_addresses_at + word)));
    p.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
    p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at(v6_addresses_at + 16 + word)));
    must_be(BPF_X, 0);
  }
  for (const std::size_t from : to_probe) p[from].k = static_cast<unsigned>(p.size() - from - 1);
  then();
  for (const std::size_t from : to_others) p[from].k = static_cast<unsigned>(p.size() - from - 1);
}

// As try_share().
void return_share(ClassicProgram& p, const SharedChoice& share) {
  p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_RANDOM)));
  p.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, whole_share));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, share.per_mille, 0, 1));
  const std::size_t to_others = p.size();
  p.push_back(BPF_STMT(BPF_JMP | BPF_JA, 0));
  return_any_place(p, share.choices);
  p[to_others].k = static_cast<unsigned>(p.size() - to_others - 1);
}

}  // namespace

void attach_places(int socket, std::span<const unsigned> places, std::span<const ProbeChoice> probes,
                   const SharedChoice* share) {
  assert(!places.empty() && places.size() <= most_choices);
  ClassicProgram p;
  for (const ProbeChoice& probe : probes) {
    if (!probe.choices.empty()) if_of_probe(p, probe.first_ports, [&] { return_any_place(p, probe.choices); });
  }
  if (share) return_share(p, *share);
  return_any_place(p, places);
  attach_classic(socket, SO_ATTACH_REUSEPORT_CBPF, p, "SO_ATTACH_REUSEPORT_CBPF");
}

// Headers between the IPv6 header and the port would make another number of it, and yet the same one for the
// same sender as a rule.
void attach_places_by_sender(int socket, std::span<const unsigned> places) {
  assert(!places.empty() && places.size() <= most_choices);
  constexpr unsigned spread = 0x9e3779b1;  // an odd number without a pattern: ports are often counted upwards
  const auto at = [](int offset) { return static_cast<unsigned>(SKF_NET_OFF + offset); };
  ClassicProgram p;
  p.push_back(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at(0)));
  p.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4));
  p.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 5, 0));

  p.push_back(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, at(0)));
  p.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_IND, at(0)));
  p.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at(v4_addresses_at)));
  p.push_back(BPF_STMT(BPF_JMP | BPF_JA, 3));

  p.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at(v6_header_length)));
  p.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  p.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at(v6_addresses_at + 12)));

  p.push_back(BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0));
  p.push_back(BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, spread));
  p.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16));
  return_one_of(p, places);
  attach_classic(socket, SO_ATTACH_REUSEPORT_CBPF, p, "SO_ATTACH_REUSEPORT_CBPF");
}

constexpr unsigned all = 0xffffffff;

void attach_probe_filter(int socket, std::span<const std::uint16_t> first_ports) {
  ClassicProgram p;
  if_of_probe(p, first_ports, [&] { p.push_back(BPF_STMT(BPF_RET | BPF_K, all)); });
  p.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  attach_classic(socket, SO_ATTACH_FILTER, p, "SO_ATTACH_FILTER");
}

void attach_data_dropper(int socket) {
  std::array<sock_filter, 8> p{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, header_length_at),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, upper_half),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, all),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  attach_classic(socket, SO_ATTACH_FILTER, p, "SO_ATTACH_FILTER");
}

}  // namespace graced
