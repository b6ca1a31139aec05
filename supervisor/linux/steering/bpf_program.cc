// eBPF, and what is done with programs of either kind.
#include "linux/steering/bpf_program.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "linux/base/sys_error.h"
#include "linux/steering/bpf_call.h"
#include "linux/steering/bpf_instructions.h"
#include "linux/steering/packet_layout.h"

namespace graced {
namespace {

constexpr std::size_t second_choices = 8;  // tried one by one when the first is gone

using Program = std::vector<bpf_insn>;

constexpr int context = BPF_REG_6;
constexpr int choice = BPF_REG_7;
constexpr int counted = BPF_REG_8;  // where counts are, if anybody counts
constexpr int slot_on_stack = -4;
constexpr int nowhere = -1;

// Leaves the program with the socket whose slot is in `choice`; goes on if there is none. count: at which
// offset of the counts that is counted.
void try_choice(Program& p, int array, int count = nowhere) {
  const bool counts = count != nowhere;
  p.push_back(instruction(BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, choice, slot_on_stack, 0));
  p.push_back(copy(BPF_REG_1, context));
  p.push_back(instruction(BPF_LD | BPF_DW /* | BPF_IMM */, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, array));
  p.push_back({});  // the upper half of the immediate
  p.push_back(copy(BPF_REG_3, BPF_REG_10));
  p.push_back(instruction(BPF_ALU64 | BPF_ADD /* | BPF_K */, BPF_REG_3, 0, 0, slot_on_stack));
  p.push_back(set(BPF_REG_4, 0));
  p.push_back(instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sk_select_reuseport));
  p.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, counts ? 4 : 2, 0));
  if (counts) {
    p.push_back(set(BPF_REG_1, 1));
    p.push_back(instruction(BPF_STX | BPF_ATOMIC | BPF_DW, counted, BPF_REG_1, count, BPF_ADD));
  }
  p.push_back(set(BPF_REG_0, SK_PASS));
  p.push_back(leave());
}

// One of these by the hash of the connection; a few others if that socket is gone. Goes on if there is none.
void try_slots(Program& p, int array, std::span<const unsigned> slots, int count = nowhere) {
  const auto most = static_cast<int>(slots.size());
  p.push_back(instruction(BPF_LDX | BPF_MEM | BPF_W, choice, context, offsetof(sk_reuseport_md, hash), 0));
  p.push_back(instruction(BPF_ALU | BPF_MOD | BPF_K, choice, 0, 0, most));
  // From a number to its slot: comparisons, each of which skips what belongs to the next one.
  for (int i = 0; i < most; ++i) {
    p.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, choice, 0, 2, i));
    p.push_back(set(choice, static_cast<int>(slots[static_cast<std::size_t>(i)])));
    p.push_back(instruction(BPF_JMP | BPF_JA, 0, 0, 3 * (most - i - 1), 0));
  }
  try_choice(p, array, count);
  for (std::size_t i = 0; slots.size() > 1 && i < std::min(slots.size(), second_choices); ++i) {
    p.push_back(set(choice, static_cast<int>(slots[i])));
    try_choice(p, array, count);
  }
}

// By chance a connection leaves the program with one of the slots that get a share.
void try_share(Program& p, int array, const SharedChoice& share) {
  const bool counts = share.counts >= 0;
  if (counts) {
    p.push_back(instruction(BPF_LD | BPF_DW /* | BPF_IMM */, counted, BPF_PSEUDO_MAP_VALUE, 0, share.counts));
    p.push_back({});  // at its beginning
  }
  p.push_back(instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32));
  p.push_back(instruction(BPF_ALU | BPF_MOD | BPF_K, BPF_REG_0, 0, 0, whole_share));
  const std::size_t decides = p.size();
  p.push_back(instruction(BPF_JMP | BPF_JGE | BPF_K, BPF_REG_0, 0, 0, static_cast<int>(share.per_mille)));
  try_slots(p, array, share.choices, counts ? static_cast<int>(offsetof(ShareCounts, shared)) : nowhere);
  p[decides].off = static_cast<std::int16_t>(p.size() - decides - 1);
}

// A connection of the probe leaves the program with one of its slots, or refused; goes on for any other. What
// migrates has no header at all.
void try_probe(Program& p, int array, const ProbeChoice& probe) {
  constexpr int on_stack = -32;
  std::vector<std::size_t> to_others;
  std::vector<std::size_t> to_probe;
  const auto jump = [&](std::vector<std::size_t>& where, int code, int destination, int source, int immediate) {
    where.push_back(p.size());
    p.push_back(instruction(BPF_JMP | code, destination, source, 0, immediate));
  };
  const auto arrive = [&](const std::vector<std::size_t>& jumps) {
    for (const std::size_t from : jumps) p[from].off = static_cast<std::int16_t>(p.size() - from - 1);
  };
  const auto load_addresses = [&](int from, int length) {
    p.push_back(copy(BPF_REG_1, context));
    p.push_back(set(BPF_REG_2, from));
    p.push_back(copy(BPF_REG_3, BPF_REG_10));
    p.push_back(instruction(BPF_ALU64 | BPF_ADD /* | BPF_K */, BPF_REG_3, 0, 0, on_stack));
    p.push_back(set(BPF_REG_4, length));
    p.push_back(set(BPF_REG_5, BPF_HDR_START_NET));
    p.push_back(instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes_relative));
    jump(to_others, BPF_JNE | BPF_K, BPF_REG_0, 0, 0);
  };
  const auto compare = [&](int size, int offset, int other) {
    p.push_back(instruction(BPF_LDX | BPF_MEM | size, BPF_REG_1, BPF_REG_10, on_stack + offset, 0));
    p.push_back(instruction(BPF_LDX | BPF_MEM | size, BPF_REG_2, BPF_REG_10, on_stack + other, 0));
  };

  p.push_back(instruction(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, context, offsetof(sk_reuseport_md, data), 0));
  p.push_back(
      instruction(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_3, context, offsetof(sk_reuseport_md, data_end), 0));
  p.push_back(copy(BPF_REG_1, BPF_REG_2));
  p.push_back(instruction(BPF_ALU64 | BPF_ADD /* | BPF_K */, BPF_REG_1, 0, 0, 2));
  jump(to_others, BPF_JGT | BPF_X, BPF_REG_1, BPF_REG_3, 0);
  p.push_back(instruction(BPF_LDX | BPF_MEM | BPF_H, BPF_REG_1, BPF_REG_2, 0, 0));
  p.push_back(instruction(BPF_ALU | BPF_END | BPF_TO_BE, BPF_REG_1, 0, 0, 16));
  p.push_back(instruction(BPF_ALU64 | BPF_AND /* | BPF_K */, BPF_REG_1, 0, 0, probe_port_mask));
  std::vector<std::size_t> to_addresses;
  for (const std::uint16_t port : probe.first_ports) jump(to_addresses, BPF_JEQ | BPF_K, BPF_REG_1, 0, port);
  jump(to_others, BPF_JA, 0, 0, 0);
  arrive(to_addresses);

  p.push_back(
      instruction(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, context, offsetof(sk_reuseport_md, eth_protocol), 0));
  const std::size_t by_family = p.size();
  p.push_back(instruction(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0, htons(ETH_P_IPV6)));
  load_addresses(v4_addresses_at, 2 * sizeof(in_addr));
  compare(BPF_W, 0, sizeof(in_addr));
  jump(to_probe, BPF_JEQ | BPF_X, BPF_REG_1, BPF_REG_2, 0);
  p.push_back(instruction(BPF_LDX | BPF_MEM | BPF_B, BPF_REG_1, BPF_REG_10, on_stack, 0));
  jump(to_probe, BPF_JEQ | BPF_K, BPF_REG_1, 0, loopback_network);
  jump(to_others, BPF_JA, 0, 0, 0);
  p[by_family].off = static_cast<std::int16_t>(p.size() - by_family - 1);
  load_addresses(v6_addresses_at, 2 * sizeof(in6_addr));
  for (const int half : {0, 8}) {
    compare(BPF_DW, half, half + static_cast<int>(sizeof(in6_addr)));
    jump(to_others, BPF_JNE | BPF_X, BPF_REG_1, BPF_REG_2, 0);
  }
  arrive(to_probe);
  if (!probe.choices.empty()) try_slots(p, array, probe.choices);
  p.push_back(set(BPF_REG_0, SK_DROP));
  p.push_back(leave());
  arrive(to_others);
}

void read_number(Program& p, int number) {
  p.push_back(instruction(BPF_LD | BPF_DW /* | BPF_IMM */, choice, BPF_PSEUDO_MAP_VALUE, 0, number));
  p.push_back({});  // at its beginning
  p.push_back(instruction(BPF_LDX | BPF_MEM | BPF_W, choice, choice, 0, 0));
}

Fd load(const Program& program, Queued queued) {
  return load_program(program, BPF_PROG_TYPE_SK_REUSEPORT,
                      queued == Queued::migrate ? BPF_SK_REUSEPORT_SELECT_OR_MIGRATE : BPF_SK_REUSEPORT_SELECT);
}

}  // namespace

Fd make_socket_array(unsigned slots) {
  return make_map(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, sizeof(std::uint64_t), slots);
}

void put_into(int array, unsigned slot, int socket) {
  const auto descriptor = static_cast<std::uint64_t>(socket);
  update_map(array, slot, &descriptor);
}

Fd make_number() {
  return make_map(BPF_MAP_TYPE_ARRAY, sizeof(std::uint32_t), 1);
}

void set_number(int number, unsigned value) {
  update_map(number, 0, &value);
}

Fd make_counts() {
  return make_map(BPF_MAP_TYPE_ARRAY, sizeof(ShareCounts), 1);
}

std::optional<ShareCounts> read_counts(int counts) {
  ShareCounts read;
  try {
    if (look_up(counts, 0, &read)) return read;
  } catch (const std::system_error&) {}  // they are of no consequence
  return std::nullopt;
}

Fd load_choice(int array, std::span<const unsigned> slots, Queued queued, std::span<const ProbeChoice> probes,
               const SharedChoice* share) {
  assert(!slots.empty() && slots.size() <= most_choices);
  Program p;
  p.push_back(copy(context, BPF_REG_1));
  for (const ProbeChoice& probe : probes) try_probe(p, array, probe);
  if (share) try_share(p, array, *share);
  try_slots(p, array, slots,
            share && share->counts >= 0 ? static_cast<int>(offsetof(ShareCounts, others)) : nowhere);
  p.push_back(set(BPF_REG_0, SK_PASS));
  p.push_back(leave());
  return load(p, queued);
}

Fd load_choice_by_number(int array, int number) {
  Program p;
  p.push_back(copy(context, BPF_REG_1));
  read_number(p, number);
  try_choice(p, array);
  p.push_back(set(BPF_REG_0, SK_DROP));
  p.push_back(leave());
  return load(p, Queued::migrate);
}

void attach_program(int socket, int program) {
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof program) < 0)
    throw sys_error("SO_ATTACH_REUSEPORT_EBPF");
}

void detach_choice(int socket) {
  const int unused = 0;
  if (::setsockopt(socket, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof unused) < 0 && errno != ENOENT)
    throw sys_error("SO_DETACH_REUSEPORT_BPF");
}

Fd load_data_dropper() {
  constexpr int length = BPF_REG_7;
  return load_program(
      std::array{
          copy(context, BPF_REG_1),  // where the next one but one looks for it
          instruction(BPF_LDX | BPF_MEM | BPF_W, length, context, offsetof(__sk_buff, len), 0),
          instruction(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, header_length_at),
          instruction(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, upper_half),
          instruction(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 2),
          instruction(BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_0, length, 1, 0),
          set(BPF_REG_0, 0),
          leave(),
      },
      BPF_PROG_TYPE_SOCKET_FILTER);
}

void attach_filter(int socket, int program) {
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) < 0)
    throw sys_error("SO_ATTACH_BPF");
}

bool has_filter(int socket) {
  // Asked for no instruction, the kernel tells how many there are; of eBPF it says EACCES.
  socklen_t none = 0;
  return ::getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, nullptr, &none) < 0 || none > 0;
}

void detach_filter(int socket) {
  const int unused = 0;
  if (::setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) < 0 && errno != ENOENT)
    throw sys_error("SO_DETACH_FILTER");
}

}  // namespace graced
