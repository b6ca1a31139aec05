#include "linux/steering/flow_program.h"

#include <cassert>
#include <cstddef>
#include <map>
#include <vector>

#include "linux/steering/bpf_call.h"
#include "linux/steering/bpf_instructions.h"
#include "linux/steering/bpf_program.h"

namespace graced {
namespace {

constexpr int packet = BPF_REG_6;
constexpr int chosen = BPF_REG_7;  // a slot; before, a flow
constexpr int now = BPF_REG_8;
constexpr int stack = BPF_REG_10;

// Where things are on the stack.
constexpr int key_at = -4;
constexpr int slot_at = -8;
constexpr int flow_at = -8 - static_cast<int>(sizeof(Flow));

enum class Label { begin_flow, end };

// Instructions with jumps to places that are known later.
class Assembly {
 public:
  void add(const bpf_insn& i) { instructions_.push_back(i); }

  void add_number(int destination, std::uint64_t number) {
    add(instruction(BPF_LD | BPF_DW, destination, 0, 0, static_cast<int>(number & 0xffffffff)));
    add(instruction(0, 0, 0, 0, static_cast<int>(number >> 32)));
  }
  void add_map(int destination, int map) {
    add(instruction(BPF_LD | BPF_DW, destination, BPF_PSEUDO_MAP_FD, 0, map));
    add({});  // the upper half of the immediate
  }
  void load(int size, int destination, int from, std::size_t offset) {
    add(instruction(BPF_LDX | BPF_MEM | size, destination, from, static_cast<int>(offset), 0));
  }
  void store(int size, int to, std::size_t offset, int source) {
    add(instruction(BPF_STX | BPF_MEM | size, to, source, static_cast<int>(offset), 0));
  }
  void push(int size, int at, int source) { add(instruction(BPF_STX | BPF_MEM | size, stack, source, at, 0)); }
  void address_on_stack(int destination, int at) {
    add(copy(destination, stack));
    add(instruction(BPF_ALU64 | BPF_ADD, destination, 0, 0, at));
  }
  void call(bpf_func_id function) { add(instruction(BPF_JMP | BPF_CALL, 0, 0, 0, function)); }
  void jump_if(int condition, int destination, int source, int immediate, Label to) {
    jumps_.emplace(instructions_.size(), to);
    add(instruction(BPF_JMP | condition, destination, source, 0, immediate));
  }
  void place(Label label) { labels_[label] = instructions_.size(); }

  const std::vector<bpf_insn>& finish() {
    for (const auto& [from, to] : jumps_)
      instructions_[from].off = static_cast<std::int16_t>(labels_.at(to) - from - 1);
    return instructions_;
  }

 private:
  std::vector<bpf_insn> instructions_;
  std::multimap<std::size_t, Label> jumps_;
  std::map<Label, std::size_t> labels_;
};

// The slot whose number is on the stack in R0.
void look_slot_up(Assembly& a, const FlowMaps& maps, Label if_none) {
  a.add_map(BPF_REG_1, maps.slots);
  a.address_on_stack(BPF_REG_2, slot_at);
  a.call(BPF_FUNC_map_lookup_elem);
  a.jump_if(BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, if_none);
}

// A datagram has come for the slot in R0.
void count(Assembly& a) {
  a.store(BPF_DW, BPF_REG_0, offsetof(FlowSlot, last), now);
  a.add(set(BPF_REG_1, 1));
  a.add(
      instruction(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, offsetof(FlowSlot, datagrams), BPF_ADD));
}

// Leaves with the socket of the slot whose number is on the stack; goes on if there is none.
void choose(Assembly& a, const FlowMaps& maps, Label if_none) {
  a.add(copy(BPF_REG_1, packet));
  a.add_map(BPF_REG_2, maps.sockets);
  a.address_on_stack(BPF_REG_3, slot_at);
  a.add(set(BPF_REG_4, 0));
  a.call(BPF_FUNC_sk_select_reuseport);
  a.jump_if(BPF_JNE | BPF_K, BPF_REG_0, 0, 0, if_none);
  a.add(set(BPF_REG_0, SK_PASS));
  a.add(leave());
}

// Where the flow went before, if it was heard lately and that slot is the same socket's still.
void go_on_with_flow(Assembly& a, const FlowMaps& maps, Duration timeout) {
  constexpr int flow = chosen;
  a.add_map(BPF_REG_1, maps.flows);
  a.address_on_stack(BPF_REG_2, key_at);
  a.call(BPF_FUNC_map_lookup_elem);
  a.jump_if(BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, Label::begin_flow);
  a.add(copy(flow, BPF_REG_0));

  // Another processor may have heard it later than this one has asked for the time.
  a.load(BPF_DW, BPF_REG_1, flow, offsetof(Flow, last));
  a.add_number(BPF_REG_2, static_cast<std::uint64_t>(timeout.count()));
  a.add(instruction(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0));
  a.jump_if(BPF_JGT | BPF_X, now, BPF_REG_1, 0, Label::begin_flow);

  a.load(BPF_W, BPF_REG_1, flow, offsetof(Flow, slot));
  a.push(BPF_W, slot_at, BPF_REG_1);
  look_slot_up(a, maps, Label::begin_flow);
  a.load(BPF_W, BPF_REG_1, BPF_REG_0, offsetof(FlowSlot, serial));
  a.load(BPF_W, BPF_REG_2, flow, offsetof(Flow, serial));
  a.jump_if(BPF_JNE | BPF_X, BPF_REG_1, BPF_REG_2, 0, Label::begin_flow);

  a.store(BPF_DW, flow, offsetof(Flow, last), now);
  count(a);
  choose(a, maps, Label::begin_flow);
}

// The slot of the one whose turn it is by the hash on the stack.
void put_one_of(Assembly& a, std::span<const unsigned> slots) {
  a.add(instruction(BPF_LDX | BPF_MEM | BPF_W, chosen, stack, key_at, 0));
  const auto many = static_cast<int>(slots.size());
  a.add(instruction(BPF_ALU | BPF_MOD | BPF_K, chosen, 0, 0, many));
  // From a number to its slot: comparisons, each of which skips what belongs to the next one.
  for (int i = 0; i < many; ++i) {
    a.add(instruction(BPF_JMP | BPF_JNE | BPF_K, chosen, 0, 2, i));
    a.add(set(chosen, static_cast<int>(slots[static_cast<std::size_t>(i)])));
    a.add(instruction(BPF_JMP | BPF_JA, 0, 0, 3 * (many - i - 1), 0));
  }
  a.push(BPF_W, slot_at, chosen);
}

// With the slot in R0, and its number in `choice`.
void remember_flow(Assembly& a, const FlowMaps& maps) {
  a.load(BPF_W, BPF_REG_1, BPF_REG_0, offsetof(FlowSlot, serial));
  a.push(BPF_W, flow_at + static_cast<int>(offsetof(Flow, slot)), chosen);
  a.push(BPF_W, flow_at + static_cast<int>(offsetof(Flow, serial)), BPF_REG_1);
  a.push(BPF_DW, flow_at + static_cast<int>(offsetof(Flow, last)), now);
  a.add_map(BPF_REG_1, maps.flows);
  a.address_on_stack(BPF_REG_2, key_at);
  a.address_on_stack(BPF_REG_3, flow_at);
  a.add(set(BPF_REG_4, BPF_ANY));
  a.call(BPF_FUNC_map_update_elem);
}

}  // namespace

Fd make_flow_slots(unsigned slots) {
  return make_map(BPF_MAP_TYPE_ARRAY, sizeof(FlowSlot), slots);
}

Fd make_flows(unsigned most) {
  return make_map(BPF_MAP_TYPE_LRU_HASH, sizeof(Flow), most);
}

Fd load_flow_choice(const FlowMaps& maps, std::span<const unsigned> slots, Duration timeout) {
  assert(!slots.empty() && slots.size() <= most_choices);
  const bool remembers = maps.flows >= 0;
  Assembly a;
  a.add(copy(packet, BPF_REG_1));
  a.call(BPF_FUNC_ktime_get_ns);
  a.add(copy(now, BPF_REG_0));
  a.load(BPF_W, BPF_REG_1, packet, offsetof(sk_reuseport_md, hash));
  a.push(BPF_W, key_at, BPF_REG_1);
  if (remembers) go_on_with_flow(a, maps, timeout);

  a.place(Label::begin_flow);
  put_one_of(a, slots);
  look_slot_up(a, maps, Label::end);
  count(a);
  if (remembers) remember_flow(a, maps);
  choose(a, maps, Label::end);

  a.place(Label::end);
  a.add(set(BPF_REG_0, SK_PASS));
  a.add(leave());
  return load_program(a.finish(), BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT);
}

}  // namespace graced
