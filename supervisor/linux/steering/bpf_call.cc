#include "linux/steering/bpf_call.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "linux/base/sys_error.h"

namespace graced {
namespace {

long bpf(bpf_cmd command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

// A union's {} clears its first member only, and the kernel wants zeros up to the end.
bpf_attr no_attributes() {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  return attributes;
}

std::uint64_t address_of(const void* object) {
  return reinterpret_cast<std::uintptr_t>(object);
}

bpf_attr element(int map, const unsigned& key, const void* value) {
  bpf_attr attributes = no_attributes();
  attributes.map_fd = static_cast<std::uint32_t>(map);
  attributes.key = address_of(&key);
  attributes.value = address_of(value);
  return attributes;
}

}  // namespace

Fd make_map(bpf_map_type type, std::size_t value_size, unsigned entries) {
  bpf_attr attributes = no_attributes();
  attributes.map_type = type;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = static_cast<std::uint32_t>(value_size);
  attributes.max_entries = entries;
  std::memcpy(attributes.map_name, "graced", 6);
  Fd map(static_cast<int>(bpf(BPF_MAP_CREATE, attributes)));
  if (!map) throw sys_error("BPF_MAP_CREATE");
  return map;
}

void update_map(int map, unsigned key, const void* value) {
  bpf_attr attributes = element(map, key, value);
  attributes.flags = BPF_ANY;
  if (bpf(BPF_MAP_UPDATE_ELEM, attributes) == 0) return;
  constexpr int kernels_own_enotsupp = 524;  // of an MPTCP socket
  if (errno == kernels_own_enotsupp) errno = EOPNOTSUPP;
  throw sys_error("BPF_MAP_UPDATE_ELEM");
}

bool look_up(int map, unsigned key, void* value) {
  bpf_attr attributes = element(map, key, value);
  if (bpf(BPF_MAP_LOOKUP_ELEM, attributes) == 0) return true;
  if (errno == ENOENT) return false;
  throw sys_error("BPF_MAP_LOOKUP_ELEM");
}

unsigned look_up_some(int map, std::uint32_t& position, bool& last, std::span<std::uint32_t> keys,
                      void* values) {
  std::uint32_t next = 0;
  bpf_attr attributes = no_attributes();
  attributes.batch.map_fd = static_cast<std::uint32_t>(map);
  attributes.batch.in_batch = position == 0 ? 0 : address_of(&position);
  attributes.batch.out_batch = address_of(&next);
  attributes.batch.keys = address_of(keys.data());
  attributes.batch.values = address_of(values);
  attributes.batch.count = static_cast<std::uint32_t>(keys.size());
  last = bpf(BPF_MAP_LOOKUP_BATCH, attributes) != 0;
  if (last && errno != ENOENT) throw sys_error("BPF_MAP_LOOKUP_BATCH");
  position = next;
  return attributes.batch.count;
}

Fd load_program(std::span<const bpf_insn> instructions, bpf_prog_type type, bpf_attach_type where) {
  bpf_attr attributes = no_attributes();
  attributes.prog_type = type;
  attributes.expected_attach_type = where;
  attributes.insns = address_of(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  attributes.license = address_of("");
  std::memcpy(attributes.prog_name, "graced", 6);
  Fd loaded(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
  if (!loaded) throw sys_error("BPF_PROG_LOAD");
  return loaded;
}

}  // namespace graced
