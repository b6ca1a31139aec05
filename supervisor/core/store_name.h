// The name of a listening socket in the service manager's store of descriptors, by which the next graced
// knows what it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/listen_spec.h"

namespace graced {

struct StoreName {
  // Of everything that has such a name, and of nothing else.
  static constexpr std::string_view family = "graced.listen.";

  std::string address;       // store_key() of its --listen
  unsigned occurrence = 0;   // that address may be listened on more than once: port 0
  unsigned index = 0;        // among the sockets of that --listen,
  unsigned count = 1;        // of which there are so many
  std::uint64_t device = 0;  // and
  std::uint64_t inode = 0;   // of its file; 0 if it has none

  friend bool operator==(const StoreName&, const StoreName&) = default;
};

// The address and what cannot be changed once it is bound, in characters that a name may have.
std::string store_key(const ListenSpec& spec);

// At most 255 characters of ASCII, no ':' among them: what sd_notify(3) allows for FDNAME=.
std::string to_text(const StoreName& name);

// nullopt: it is no such name.
std::optional<StoreName> parse_store_name(std::string_view text);

}  // namespace graced
