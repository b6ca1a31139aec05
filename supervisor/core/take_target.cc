#include "core/take_target.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/bad_value.h"
#include "core/listen_spec.h"
#include "core/number.h"

namespace graced {

namespace {

constexpr std::string_view kinds = "a PID, a unit of systemd (nginx.service), tcp:PORT or tcp:HOST:PORT";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// A name has several addresses, and other ones tomorrow.
bool may_be_ip(std::string_view host) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return std::ranges::all_of(
      host, [&](char c) { return is_digit(c) || c == '.' || (v6 && (c == ':' || is_letter(c) || c == '%')); });
}

TakeTarget read_address(std::string_view text) {
  if (text.find(',') != std::string_view::npos) throw bad("'{}': an address to take has no options", text);
  const ListenSpec spec = parse_listen_spec(text);
  const std::string host = spec.host == "*" ? "" : spec.host;
  if (spec.port == 0) throw bad("'{}': name the port, 1 to 65535", text);
  if (!may_be_ip(host)) throw bad("'{}': '{}' is no IP address", text, host);
  TakeTarget target;
  target.kind = TakeTarget::Kind::address;
  target.host = host;
  target.port = spec.port;
  return target;
}

TakeTarget read_unit(std::string_view text) {
  constexpr std::string_view others = ":_.\\@-";
  constexpr std::string_view service = ".service";
  constexpr std::size_t longest = 255;
  const bool sound = std::ranges::all_of(
      text, [&](char c) { return is_letter(c) || is_digit(c) || others.find(c) != others.npos; });
  if (!sound || text.size() > longest) throw bad("'{}' is not {}", text, kinds);
  constexpr std::array<std::string_view, 10> other_types{
      ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device"};
  for (const std::string_view type : other_types) {
    if (text.ends_with(type)) throw bad("'{}' is no service: name the {} unit", text, service);
  }
  TakeTarget target;
  target.kind = TakeTarget::Kind::unit;
  target.unit = text;
  if (!text.ends_with(service)) target.unit += service;
  return target;
}

}  // namespace

std::string TakeTarget::text() const {
  switch (kind) {
    case Kind::process:
      return std::to_string(pid);
    case Kind::unit:
      return unit;
    case Kind::address:
      if (host.empty()) return fmt::format("tcp:{}", port);
      return host.find(':') == std::string::npos ? fmt::format("tcp:{}:{}", host, port)
                                                 : fmt::format("tcp:[{}]:{}", host, port);
  }
  return {};
}

TakeTarget parse_take_target(std::string_view text) {
  if (text.empty()) throw bad("it is empty: name {}", kinds);
  if (text.starts_with("tcp:")) return read_address(text);
  for (const std::string_view other : {"udp:", "unix:", "unix-dgram:", "fd:"}) {
    if (text.starts_with(other)) throw bad("'{}': only TCP servers can be taken: name {}", text, kinds);
  }
  if (std::ranges::all_of(text, is_digit)) {
    const auto pid = parse_number<int>(text, 1, std::numeric_limits<int>::max());
    if (!pid) throw bad("'{}' is no PID", text);
    TakeTarget target;
    target.pid = *pid;
    return target;
  }
  return read_unit(text);
}

}  // namespace graced
