// Single instructions of eBPF, as the kernel's Documentation/bpf/standardization names them.
#pragma once

#include <linux/bpf.h>

#include <cstdint>

namespace graced {

constexpr bpf_insn instruction(int code, int destination, int source, int offset, int immediate) {
  bpf_insn i{};
  i.code = static_cast<std::uint8_t>(code);
  i.dst_reg = static_cast<std::uint8_t>(destination & 0xf);
  i.src_reg = static_cast<std::uint8_t>(source & 0xf);
  i.off = static_cast<std::int16_t>(offset);
  i.imm = immediate;
  return i;
}

constexpr bpf_insn set(int destination, int value) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, destination, 0, 0, value);
}
constexpr bpf_insn copy(int destination, int source) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_X, destination, source, 0, 0);
}
constexpr bpf_insn leave() {
  return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

}  // namespace graced
