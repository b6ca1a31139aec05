// bpf(2): maps whose keys are numbers, and programs. Everything throws std::system_error naming the step,
// except where it says otherwise.
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "linux/base/fd.h"

namespace graced {

// Keys are of four bytes.
Fd make_map(bpf_map_type type, std::size_t value_size, unsigned entries);

// There, or in the place of what was there.
void update_map(int map, unsigned key, const void* value);

// False: nothing is there.
bool look_up(int map, unsigned key, void* value);

// Some entries of a hash, as many as there is room for: how many. position: 0 at first, then what the call
// before has left there. last: there are no more.
unsigned look_up_some(int map, std::uint32_t& position, bool& last, std::span<std::uint32_t> keys,
                      void* values);

Fd load_program(std::span<const bpf_insn> instructions, bpf_prog_type type, bpf_attach_type where = {});

}  // namespace graced
