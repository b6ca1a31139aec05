// From the left: the kind, the host or path, the port, then the options.
#include "core/listen_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/bad_value.h"
#include "core/listen_option.h"
#include "core/number.h"
#include "core/suggest.h"

namespace graced {

namespace {

// sockaddr_un's sun_path holds 108 bytes: a path needs its final NUL, an abstract name its first.
constexpr std::size_t longest_path = 107;

struct Prefix {
  std::string_view name;
  AddressKind kind;
  IpFamily family;
};

// The first that fits is the one written.
constexpr auto prefixes = std::to_array<Prefix>({
    {"tcp", AddressKind::tcp, IpFamily::any},
    {"tcp4", AddressKind::tcp, IpFamily::v4},
    {"tcp6", AddressKind::tcp, IpFamily::v6},
    {"udp", AddressKind::udp, IpFamily::any},
    {"udp4", AddressKind::udp, IpFamily::v4},
    {"udp6", AddressKind::udp, IpFamily::v6},
    {"unix", AddressKind::unix_stream, IpFamily::any},
    {"unix-dgram", AddressKind::unix_dgram, IpFamily::any},
    {"unix-seqpacket", AddressKind::unix_seqpacket, IpFamily::any},
    {"fd", AddressKind::inherited, IpFamily::any},
});

std::string_view prefix_of(const ListenSpec& spec) {
  const auto at = std::ranges::find_if(
      prefixes, [&](const Prefix& p) { return p.kind == spec.kind && p.family == spec.family; });
  return at == prefixes.end() ? "?" : at->name;
}

bool only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

bool is_ipv4(std::string_view host) {
  int parts = 0;
  for (;; ++parts) {
    const auto dot = host.find('.');
    if (!parse_number<unsigned>(host.substr(0, dot), 0, 255)) return false;
    if (dot == std::string_view::npos) break;
    host.remove_prefix(dot + 1);
  }
  return parts == 3;
}

bool looks_ipv6(std::string_view host) {
  const auto address = host.substr(0, host.find('%'));  // %ZONE may be any interface's name
  return std::ranges::count(address, ':') >= 2 && only(address, "0123456789abcdefABCDEF:.");
}

std::uint16_t read_port(std::string_view text) {
  if (const auto port = parse_number<std::uint16_t>(text, 0, 65535)) return *port;
  throw bad("port '{}' is not between 0 and 65535", text);
}

// A prefix nobody knows, or an IPv6 address that needs its brackets.
[[noreturn]] void reject_colons(std::string_view text) {
  if (looks_ipv6(text)) throw bad("an IPv6 address needs brackets and a port, as in [::1]:8080");
  std::vector<std::string_view> known;
  for (const auto& prefix : prefixes) known.push_back(prefix.name);
  const auto word = text.substr(0, text.find(':'));
  throw bad("unknown kind of address '{}'{}", word,
            did_you_mean(word, known, fmt::format(", it is one of {}", fmt::join(known, ", "))));
}

void read_host_and_port(ListenSpec& spec, std::string_view text) {
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) throw bad("the bracket of '{}' is never closed", text);
    spec.host = text.substr(1, bracket - 1);
    if (!looks_ipv6(spec.host)) throw bad("'{}' is no IPv6 address, only those have brackets", spec.host);
    text.remove_prefix(bracket + 1);
    if (!text.starts_with(':')) throw bad("no port after the bracket, as in [{}]:8080", spec.host);
    spec.port = read_port(text.substr(1));
    return;
  }

  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    if (text.empty()) throw bad("no port, as in 8080 or localhost:8080");
    if (!only(text, "0123456789")) throw bad("no port, as in {}:8080", text);
    spec.port = read_port(text);
    return;
  }
  spec.host = text.substr(0, colon);
  if (spec.host == "*") spec.host.clear();
  if (spec.host.find(':') != std::string::npos) reject_colons(text);
  const auto in_no_name = [](char c) { return c == '/' || c == '@' || static_cast<unsigned char>(c) <= ' '; };
  if (std::ranges::any_of(spec.host, in_no_name)) { throw bad("'{}' is no host name", spec.host); }
  spec.port = read_port(text.substr(colon + 1));
}

// 127.0.0.1 says its family itself, so that tcp4:127.0.0.1:80 and 127.0.0.1:80 are one address. Only
// [::] is left alone: there tcp6 may mean something else than no family at all.
void settle_family(ListenSpec& spec) {
  const bool v4 = is_ipv4(spec.host);
  const bool v6 = spec.host.find(':') != std::string::npos;
  if (v4 && spec.family == IpFamily::v6) throw bad("{} is an IPv4 address", spec.host);
  if (v6 && spec.family == IpFamily::v4) throw bad("{} is an IPv6 address", spec.host);
  if (v4 || (v6 && !only(spec.host, "0:"))) spec.family = IpFamily::any;
}

void read_path(ListenSpec& spec, std::string_view prefix, std::string_view text) {
  const bool abstract = text.starts_with('@');
  if (text.empty()) throw bad("no path, as in {}:/run/app.sock", prefix);
  if (text == "@") throw bad("no name after '@', as in {}:@app", prefix);
  if (text.ends_with('/') && !abstract) throw bad("path '{}' ends with a slash, name the socket file", text);
  const auto length = text.size() - (abstract ? 1 : 0);
  if (length > longest_path) {
    throw bad("{} is {} bytes long, a unix socket's may have {}", abstract ? "name" : "path", length,
              longest_path);
  }
  spec.path = text;
}

void read_address(ListenSpec& spec, std::string_view text) {
  if (text.starts_with('/') || text.starts_with("./") || text.starts_with('@')) {
    throw bad("a path needs its kind, as in unix:{}", text);
  }
  const auto word = text.substr(0, text.find(':'));
  const auto prefix = std::ranges::find(prefixes, word, &Prefix::name);
  if (word.size() < text.size() && prefix != prefixes.end()) {
    spec.kind = prefix->kind;
    spec.family = prefix->family;
    text.remove_prefix(word.size() + 1);
  }

  switch (spec.kind) {
    case AddressKind::tcp:
    case AddressKind::udp:
      read_host_and_port(spec, text);
      settle_family(spec);
      return;
    case AddressKind::unix_stream:
    case AddressKind::unix_dgram:
    case AddressKind::unix_seqpacket:
      read_path(spec, word, text);
      return;
    case AddressKind::inherited: {
      const auto fd = parse_number<int>(text, 0, std::numeric_limits<int>::max());
      if (!fd) throw bad("'{}' is no descriptor's number, as in fd:3", text);
      spec.fd = *fd;
      return;
    }
  }
}

}  // namespace

ListenSpec parse_listen_spec(std::string_view text) {
  ListenSpec spec;
  auto comma = text.find(',');
  read_address(spec, text.substr(0, comma));

  std::vector<std::string_view> given;
  while (comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const auto option = text.substr(0, comma);
    const auto equals = option.find('=');
    const auto name = option.substr(0, equals);
    if (std::ranges::find(given, name) != given.end()) throw bad("option '{}' is given twice", name);
    given.push_back(name);
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) value = option.substr(equals + 1);
    read_listen_option(spec, name, value);
  }
  return spec;
}

std::string ListenSpec::address() const {
  switch (kind) {
    case AddressKind::tcp:
    case AddressKind::udp: {
      // A host may be called udp: without its prefix, tcp:udp:53 would be another address.
      const bool looks_prefixed = std::ranges::find(prefixes, host, &Prefix::name) != prefixes.end();
      const bool plain = kind == AddressKind::tcp && family == IpFamily::any && !looks_prefixed;
      const bool brackets = host.find(':') != std::string::npos;
      std::string text;  // put together by hand, as it is asked for often
      if (!plain) (text += prefix_of(*this)) += ':';
      if (!host.empty() && host != "*") {
        if (brackets) text += '[';
        text += host;
        text += brackets ? "]:" : ":";
      }
      return text += std::to_string(port);
    }
    case AddressKind::unix_stream:
    case AddressKind::unix_dgram:
    case AddressKind::unix_seqpacket:
      return fmt::format("{}:{}", prefix_of(*this), path);
    case AddressKind::inherited:
      return fmt::format("fd:{}", fd);
  }
  return {};
}

std::string ListenSpec::name() const {
  if (options.name) return *options.name;
  switch (kind) {
    case AddressKind::tcp:
    case AddressKind::udp:
      return fmt::format("{}", port);
    case AddressKind::unix_stream:
    case AddressKind::unix_dgram:
    case AddressKind::unix_seqpacket: {
      std::string last = path.substr(path.find_last_of("/@") + 1);
      std::ranges::replace_if(
          last, [](char c) { return !fits_in_listen_name(c); }, '_');
      return last;
    }
    case AddressKind::inherited:
      return fmt::format("fd{}", fd);
  }
  return {};
}

}  // namespace graced
