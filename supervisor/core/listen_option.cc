// Options by name, one reader for each kind of value.
#include "core/listen_option.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "core/bad_value.h"
#include "core/number.h"
#include "core/row_option.h"

namespace graced {

namespace {

using Text = std::string_view;

// What to tell of an option that cannot be had: where it can.
constexpr Text anywhere;
constexpr Text ip = "tcp and udp";
constexpr Text tcp = "tcp";
constexpr Text connections = "tcp, unix and unix-seqpacket";
constexpr Text files = "unix socket files";
constexpr Text bound_here = "sockets bound here";

bool fits(Text where, const ListenSpec& spec) {
  const bool is_ip = spec.kind == AddressKind::tcp || spec.kind == AddressKind::udp;
  const bool is_unix = !is_ip && spec.kind != AddressKind::inherited;
  if (where == ip) return is_ip;
  if (where == tcp) return spec.kind == AddressKind::tcp;
  if (where == connections) return spec.kind != AddressKind::udp && spec.kind != AddressKind::unix_dgram;
  if (where == files) return is_unix && !spec.path.starts_with('@');
  if (where == bound_here) return spec.kind != AddressKind::inherited;
  return true;
}

unsigned count(Text value) {
  // listen(2) and TCP_FASTOPEN take an int.
  constexpr unsigned most = std::numeric_limits<int>::max();
  if (const auto n = parse_number<unsigned>(value, 0, most)) return *n;
  throw bad("'{}' is not a number between 0 and {}", value, most);
}

unsigned permissions(Text value) {
  if (const auto mode = parse_number<unsigned>(value, 0, 0777, 8)) return *mode;
  throw bad("'{}' is no octal mode, as in 0660", value);
}

std::uint64_t bytes(Text value) {
  // setsockopt(2) takes an int here.
  constexpr std::uint64_t most = std::numeric_limits<int>::max();
  if (const auto n = parse_size(value); n && *n <= most) return *n;
  throw bad("'{}' is no size below 2G, as in 65536, 64K or 8M", value);
}

Duration seconds(Text value) {
  constexpr Duration most = std::chrono::seconds{std::numeric_limits<int>::max()};
  if (const auto time = parse_duration(value); time && *time <= most) return *time;
  throw bad("'{}' is no time, as in 5s or 2min", value);
}

std::uint32_t packet_mark(Text value) {
  const bool hex = value.starts_with("0x");
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  if (const auto mark = parse_number<std::uint32_t>(hex ? value.substr(2) : value, 0, most, hex ? 16 : 10)) {
    return *mark;
  }
  throw bad("'{}' is no number of 32 bits, as in 7 or 0x1f", value);
}

std::string word(Text value) {
  if (value.empty()) throw bad("it is empty");
  return std::string{value};
}

std::string listen_name(Text value) {
  if (value.size() > 255) throw bad("it has more than 255 characters");
  if (!std::ranges::all_of(value, fits_in_listen_name)) {
    throw bad("'{}' has a character other than printable ASCII without ':'", value);
  }
  return word(value);
}

std::string interface_name(Text value) {
  if (value.size() > 15) throw bad("'{}' has more than the 15 characters an interface's name may have", value);
  return word(value);
}

bool ipv6_only(const ListenSpec& spec, Text value) {
  const bool v4 = spec.family == IpFamily::v4 ||
                  (!spec.host.empty() && spec.host.find_first_not_of("0123456789.") == std::string::npos);
  if (v4) throw bad("it is for IPv6, and {} is not", spec.address());
  return yes_or_no(value);
}

struct Row {
  Text name;
  Text where;
  bool needs_value;
  void (*set)(ListenSpec&, Text);
};

constexpr auto rows = std::to_array<Row>({
    {"name", anywhere, true, [](ListenSpec& s, Text v) { s.options.name = listen_name(v); }},
    {"backlog", connections, true, [](ListenSpec& s, Text v) { s.options.backlog = count(v); }},
    {"mode", files, true, [](ListenSpec& s, Text v) { s.options.mode = permissions(v); }},
    {"user", files, true, [](ListenSpec& s, Text v) { s.options.user = word(v); }},
    {"group", files, true, [](ListenSpec& s, Text v) { s.options.group = word(v); }},
    {"ipv6-only", ip, false, [](ListenSpec& s, Text v) { s.options.ipv6_only = ipv6_only(s, v); }},
    {"free-bind", ip, false, [](ListenSpec& s, Text v) { s.options.free_bind = yes_or_no(v); }},
    {"transparent", ip, false, [](ListenSpec& s, Text v) { s.options.transparent = yes_or_no(v); }},
    {"no-delay", tcp, false, [](ListenSpec& s, Text v) { s.options.no_delay = yes_or_no(v); }},
    {"keep-alive", tcp, false, [](ListenSpec& s, Text v) { s.options.keep_alive = yes_or_no(v); }},
    {"defer-accept", tcp, true, [](ListenSpec& s, Text v) { s.options.defer_accept = seconds(v); }},
    {"fast-open", tcp, true, [](ListenSpec& s, Text v) { s.options.fast_open = count(v); }},
    {"receive-buffer", bound_here, true, [](ListenSpec& s, Text v) { s.options.receive_buffer = bytes(v); }},
    {"send-buffer", bound_here, true, [](ListenSpec& s, Text v) { s.options.send_buffer = bytes(v); }},
    {"mark", ip, true, [](ListenSpec& s, Text v) { s.options.mark = packet_mark(v); }},
    {"device", ip, true, [](ListenSpec& s, Text v) { s.options.device = interface_name(v); }},
    {"nonblock", anywhere, false, [](ListenSpec& s, Text v) { s.options.nonblock = yes_or_no(v); }},
});

}  // namespace

bool fits_in_listen_name(char c) {
  return c >= ' ' && c < 0x7f && c != ':';
}

void read_listen_option(ListenSpec& spec, Text name, std::optional<Text> value) {
  const Row& row = find_option(rows, name);
  if (!fits(row.where, spec)) throw bad("option '{}' is for {} only", name, row.where);
  set_option(row, spec, value);
}

}  // namespace graced
