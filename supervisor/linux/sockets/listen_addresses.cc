#include "linux/sockets/listen_addresses.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/sockets/listen_error.h"
#include "linux/sockets/listen_socket.h"

namespace graced {
namespace {

bool every_address(const ListenSpec& spec) {
  return spec.host.empty() || spec.host == "*";
}

SocketAddress wildcard(int family, std::uint16_t port) {
  SocketAddress address;
  if (family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    address.length = sizeof v6;
    std::memcpy(&address.storage, &v6, sizeof v6);
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.length = sizeof v4;
    std::memcpy(&address.storage, &v4, sizeof v4);
  }
  return address;
}

std::vector<SocketAddress> resolve(const ListenSpec& spec) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST;
  hints.ai_socktype = socket_type(spec.kind);
  if (spec.family == IpFamily::v4) hints.ai_family = AF_INET;
  if (spec.family == IpFamily::v6) hints.ai_family = AF_INET6;

  const std::string port = std::to_string(spec.port);
  addrinfo* list = nullptr;
  // Numbers first: they need no resolver, and most addresses are numbers.
  int error = ::getaddrinfo(spec.host.c_str(), port.c_str(), &hints, &list);
  if (error == EAI_NONAME) {
    hints.ai_flags &= ~AI_NUMERICHOST;
    error = ::getaddrinfo(spec.host.c_str(), port.c_str(), &hints, &list);
  }
  if (error == EAI_SYSTEM) throw listen_error(errno, "resolve " + spec.host);
  if (error != 0) {
    throw ListenError(EADDRNOTAVAIL, fmt::format("resolve {}: {} (for the address {})", spec.host,
                                                 ::gai_strerror(error), spec.address()));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);

  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    address.length = entry->ai_addrlen;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    const bool known = std::ranges::any_of(addresses, [&](const auto& a) { return a.same_as(address); });
    if (!known) addresses.push_back(address);
  }
  return addresses;
}

bool means_no_ipv6(const ListenError& error) {
  return error.code().value() == EAFNOSUPPORT || error.code().value() == EADDRNOTAVAIL;
}

void open_every_address(const ListenSpec& spec, const OpenAddress& open) {
  if (spec.family != IpFamily::v4) {
    try {
      return open(wildcard(AF_INET6, spec.port));
    } catch (const ListenError& error) {
      const bool insists = spec.family == IpFamily::v6 || spec.options.ipv6_only.value_or(false);
      if (insists || !means_no_ipv6(error)) throw;
    }
  }
  open(wildcard(AF_INET, spec.port));
}

// A name may have an IPv6 address (localhost has) where IPv6 is off: then the others do.
void open_host(const ListenSpec& spec, const OpenAddress& open) {
  bool any = false;
  std::optional<ListenError> skipped;
  for (const SocketAddress& address : resolve(spec)) {
    try {
      open(address);
      any = true;
    } catch (const ListenError& error) {
      if (address.storage.ss_family != AF_INET6 || !means_no_ipv6(error)) throw;
      skipped = error;
    }
  }
  if (!any && skipped) throw *skipped;
}

}  // namespace

void each_address(const ListenSpec& spec, const OpenAddress& open) {
  every_address(spec) ? open_every_address(spec, open) : open_host(spec, open);
}

}  // namespace graced
