// Names of descriptors as the service manager gives them back, after graced or after whoever else used its
// store; and the names that graced gives, for whatever --listen there is.
#include <stdexcept>
#include <string>

#include "core/store_name.h"
#include "fuzz.h"

namespace {

bool can_be_a_name(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == ':') return false;
  }
  return text.size() <= 255;
}

void given_back(std::string_view text) {
  const auto name = graced::parse_store_name(text);
  if (!name) return;
  fuzz::promise(graced::parse_store_name(graced::to_text(*name)) == name, "a name is read as it is written");
}

void given(std::string_view text) {
  try {
    graced::StoreName name;
    name.address = graced::store_key(graced::parse_listen_spec(text));
    const std::string written = graced::to_text(name);
    fuzz::promise(can_be_a_name(written), "FDNAME= can have it");
    fuzz::promise(graced::parse_store_name(written) == name, "what is stored is known again");
  } catch (const std::invalid_argument&) {
    // no --listen
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  given_back(text);
  given(text);
  return 0;
}
