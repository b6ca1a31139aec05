#include "daemon/switched_listen.h"

#include <fmt/format.h>

#include <vector>

namespace graced {

bool is_switched(const ListenSpec& spec) {
  return spec.kind == AddressKind::tcp;
}

std::string addresses_of(const RunOptions& options) {
  std::vector<std::string> found;
  for (const ListenSpec& spec : options.listen) found.push_back(spec.address());
  return fmt::format("{}", fmt::join(found, ", "));
}

}  // namespace graced
