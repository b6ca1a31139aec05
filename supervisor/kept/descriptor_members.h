// The list of all descriptors that one image hands to the next.
#pragma once

#include <tuple>

#include "kept/base_members.h"
#include "linux/upgrade/named_descriptor.h"
#include "state/members.h"

namespace graced {

// The number is written as it is: whoever owns the descriptor stands elsewhere in the state.
template <>
struct Members<NamedDescriptor> {
  static constexpr std::tuple all{
      Named{"name", &NamedDescriptor::name},
      Named{"fd", &NamedDescriptor::fd},
      Named{"file", &NamedDescriptor::file},
      Named{"kind", &NamedDescriptor::kind},
      Named{"of-starter", &NamedDescriptor::of_starter},
  };
};

}  // namespace graced
