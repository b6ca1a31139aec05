#include "observe/address_place.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "core/number.h"

namespace graced {
namespace {

std::optional<Endpoint> read_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  text = text.substr(0, colon);
  if (text.starts_with('[') && text.ends_with(']')) {
    const std::string host(text.substr(1, text.find_first_of("%]") - 1));  // %ZONE is no part of the address
    in6_addr ip{};
    if (inet_pton(AF_INET6, host.c_str(), &ip) != 1) return std::nullopt;
    return endpoint_of(AF_INET6, &ip, *port);
  }
  in_addr ip{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &ip) != 1) return std::nullopt;
  return endpoint_of(AF_INET, &ip, *port);
}

AddressPlace unix_place(AddressPlace::Kind kind, std::string_view name) {
  AddressPlace place{.kind = kind, .path = std::string(name)};
  if (place.path.starts_with('@')) place.path.front() = '\0';
  return place;
}

}  // namespace

std::optional<AddressPlace> read_address_place(std::string_view address) {
  const std::size_t blank = address.find(' ');
  if (blank == std::string_view::npos || blank + 1 == address.size()) return std::nullopt;
  const std::string_view kind = address.substr(0, blank);
  const std::string_view where = address.substr(blank + 1);
  if (kind == "unix" || kind == "unix-seqpacket") return unix_place(AddressPlace::Kind::unix_stream, where);
  if (kind == "unix-dgram") return unix_place(AddressPlace::Kind::unix_datagram, where);
  if (kind != "tcp" && kind != "udp") return std::nullopt;
  const auto endpoint = read_endpoint(where);
  if (!endpoint) return std::nullopt;
  return AddressPlace{.kind = kind == "tcp" ? AddressPlace::Kind::tcp : AddressPlace::Kind::udp,
                      .endpoint = *endpoint};
}

}  // namespace graced
