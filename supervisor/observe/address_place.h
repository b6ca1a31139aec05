// What an address of a report means to the kernel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "linux/base/socket_name.h"

namespace graced {

struct AddressPlace {
  enum class Kind { tcp, udp, unix_stream, unix_datagram };

  Kind kind = Kind::tcp;
  Endpoint endpoint{};  // of the first two
  std::string path{};   // as unix_name(): an abstract name begins with NUL

  bool is_ip() const { return kind == Kind::tcp || kind == Kind::udp; }
  bool is_abstract() const { return path.starts_with('\0'); }
  friend bool operator==(const AddressPlace&, const AddressPlace&) = default;
};

// "tcp [::]:8080", "udp 127.0.0.1:53", "unix /run/a.sock", "unix-seqpacket @name". nullopt: it is none of
// these.
std::optional<AddressPlace> read_address_place(std::string_view address);

}  // namespace graced
