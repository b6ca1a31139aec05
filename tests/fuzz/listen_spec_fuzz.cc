// --listen ADDR: what is read can be written and read again, and is the same address then.
#include "core/listen_spec.h"

#include <algorithm>
#include <stdexcept>

#include "core/listen_option.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graced::ListenSpec spec;
  try {
    spec = graced::parse_listen_spec(fuzz::text_of(data, size));
  } catch (const std::invalid_argument&) { return 0; }

  fuzz::promise(std::ranges::all_of(spec.name(), graced::fits_in_listen_name),
                "a name fits between the colons of LISTEN_FDNAMES");
  const auto again = graced::parse_listen_spec(spec.address());
  fuzz::promise(again.address() == spec.address(), "an address is written as it is read");
  fuzz::promise(again.kind == spec.kind && again.host == spec.host && again.port == spec.port &&
                    again.path == spec.path && again.fd == spec.fd && again.family == spec.family,
                "what is written means the same");
  return 0;
}
