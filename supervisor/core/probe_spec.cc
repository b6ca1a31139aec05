// From the left: the scheme, where, then the options. A comma that belongs to a value has a backslash before
// it.
#include "core/probe_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "core/bad_value.h"
#include "core/number.h"
#include "core/row_option.h"
#include "core/suggest.h"

namespace graced {

namespace {

using Text = std::string_view;

std::vector<std::string> split(Text text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

// HOST, HOST:PORT, [ADDRESS]:PORT. default_port 0: there is none.
void read_host(ProbeSpec& spec, Text text, std::uint16_t default_port) {
  if (text.find('@') != Text::npos) throw bad("'{}' has a user in it, which a probe cannot send", text);
  Text port;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == Text::npos) throw bad("the bracket of '{}' is never closed", text);
    spec.host = text.substr(1, bracket - 1);
    port = text.substr(bracket + 1);
  } else {
    const auto colon = text.find(':');
    spec.host = text.substr(0, colon);
    if (colon != Text::npos) port = text.substr(colon);
    if (colon != text.rfind(':')) throw bad("an IPv6 address needs brackets, as in [::1]:8080");
  }
  if (spec.host.empty()) throw bad("it has no host, as in 127.0.0.1 or localhost");
  const auto in_no_name = [](char c) { return c == '/' || static_cast<unsigned char>(c) <= ' '; };
  if (std::ranges::any_of(spec.host, in_no_name)) throw bad("'{}' is no host name", spec.host);
  if (port.empty() && default_port != 0) {
    spec.port = default_port;
    return;
  }
  if (!port.starts_with(':')) throw bad("it has no port, as in {}:8080", spec.host);
  const auto number = parse_number<std::uint16_t>(port.substr(1), 1, 65535);
  if (!number) throw bad("port '{}' is not between 1 and 65535", port.substr(1));
  spec.port = *number;
}

void read_path(ProbeSpec& spec, Text text) {
  spec.path = text.empty() ? "/" : text;
  const auto unfit = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; };
  if (std::ranges::any_of(spec.path, unfit))
    throw bad("'{}' has a character that a URL cannot have: a blank is %20", spec.path);
}

void read_url(ProbeSpec& spec, Text rest, bool tls) {
  spec.tls = tls;
  if (!rest.starts_with("//")) throw bad("a URL goes on with two slashes, as in http://127.0.0.1:8080/healthz");
  rest.remove_prefix(2);
  const auto slash = std::min(rest.find_first_of("/?"), rest.size());
  read_host(spec, rest.substr(0, slash), tls ? 443 : 80);
  const Text path = rest.substr(slash);
  read_path(spec, path.starts_with('?') ? fmt::format("/{}", path) : std::string(path));
}

void read_unix_path(ProbeSpec& spec, Text path) {
  constexpr std::size_t longest_path = 107;
  if (!path.starts_with('/')) throw bad("'{}' is no absolute path of a socket", path);
  if (path.size() > longest_path)
    throw bad("the path has {} bytes, a unix socket's may have {}", path.size(), longest_path);
  spec.unix_path = path;
}

struct Scheme {
  Text name;
  void (*read)(ProbeSpec&, Text rest);
};

constexpr auto schemes = std::to_array<Scheme>({
    {"http", [](ProbeSpec& s, Text rest) { read_url(s, rest, false); }},
    {"https", [](ProbeSpec& s, Text rest) { read_url(s, rest, true); }},
    {"http+unix",
     [](ProbeSpec& s, Text rest) {
       const auto colon = rest.find(':');
       read_unix_path(s, rest.substr(0, colon));
       const Text path = colon == Text::npos ? Text{} : rest.substr(colon + 1);
       if (!path.empty() && !path.starts_with('/'))
         throw bad("what is asked for begins with a slash, as in http+unix:/run/app.sock:/healthz");
       read_path(s, path);
     }},
    {"tcp",
     [](ProbeSpec& s, Text rest) {
       s.kind = ProbeSpec::Kind::tcp;
       if (!rest.starts_with("//")) throw bad("it goes on with two slashes, as in tcp://127.0.0.1:6379");
       read_host(s, rest.substr(2), 0);
     }},
    {"tcp+unix",
     [](ProbeSpec& s, Text rest) {
       s.kind = ProbeSpec::Kind::tcp;
       read_unix_path(s, rest);
     }},
    {"exec",
     [](ProbeSpec& s, Text rest) {
       s.kind = ProbeSpec::Kind::command;
       if (rest.find_first_not_of(" \t") == Text::npos) throw bad("it has no command, as in exec:./smoke-test");
       s.command = rest;
     }},
});

Duration finite_time(Text value) {
  constexpr Duration most = 24h;
  if (const auto time = parse_duration(value); time && *time <= most) return *time;
  throw bad("'{}' is no time of a day at most, as in 500ms or 5s", value);
}

Duration time_above_zero(Text value) {
  const Duration time = finite_time(value);
  if (time == 0s) throw bad("it must be longer than 0");
  return time;
}

unsigned count(Text value) {
  if (const auto n = parse_number<unsigned>(value, 1, 1000)) return *n;
  throw bad("'{}' is not a number between 1 and 1000", value);
}

void read_status(ProbeSpec& spec, Text value) {
  const auto dash = value.find('-');
  const auto low = parse_number<unsigned>(value.substr(0, dash), 100, 999);
  const auto high = dash == Text::npos ? low : parse_number<unsigned>(value.substr(dash + 1), 100, 999);
  if (!low || !high || *high < *low) throw bad("'{}' is no status, as in 200 or 200-399", value);
  spec.lowest_status = *low;
  spec.highest_status = *high;
}

std::string something(Text value) {
  if (value.empty()) throw bad("it is empty");
  return std::string{value};
}

std::string header_value(Text value) {
  if (std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }))
    throw bad("'{}' is no host name", value);
  return something(value);
}

enum class Of { all, http, https };

struct Row {
  Text name;
  Of of;
  bool needs_value;
  void (*set)(ProbeSpec&, Text);
};

constexpr auto rows = std::to_array<Row>({
    {"timeout", Of::all, true, [](ProbeSpec& s, Text v) { s.timeout = time_above_zero(v); }},
    {"interval", Of::all, true, [](ProbeSpec& s, Text v) { s.rule.interval = time_above_zero(v); }},
    {"passes", Of::all, true, [](ProbeSpec& s, Text v) { s.rule.passes = count(v); }},
    {"fails", Of::all, true, [](ProbeSpec& s, Text v) { s.rule.fails = count(v); }},
    // Without a time of its own: that of interval, which may follow.
    {"while-serving", Of::all, false,
     [](ProbeSpec& s, Text v) { s.rule.while_serving = v == "yes" ? 0s : time_above_zero(v); }},
    {"start-delay", Of::all, true, [](ProbeSpec& s, Text v) { s.rule.start_delay = finite_time(v); }},
    {"status", Of::http, true, [](ProbeSpec& s, Text v) { read_status(s, v); }},
    {"body", Of::http, true, [](ProbeSpec& s, Text v) { s.body = something(v); }},
    {"host", Of::http, true, [](ProbeSpec& s, Text v) { s.host_header = header_value(v); }},
    {"insecure", Of::https, false, [](ProbeSpec& s, Text v) { s.insecure = yes_or_no(v); }},
});

void read_option(ProbeSpec& spec, Text part) {
  const auto equals = part.find('=');
  const Text name = part.substr(0, equals);
  const Row& row = find_option(rows, name, " (a comma that is no end is written \\,)");
  if (row.of != Of::all && spec.kind != ProbeSpec::Kind::http) throw bad("option '{}' is for http only", name);
  if (row.of == Of::https && !spec.tls) throw bad("option '{}' is for https only", name);
  set_option(row, spec, equals == Text::npos ? std::nullopt : std::optional(part.substr(equals + 1)));
}

}  // namespace

ProbeSpec parse_probe_spec(Text text) {
  const std::vector<std::string> parts = split(text);
  ProbeSpec spec;
  spec.text = text;
  spec.target = parts.front();
  const Text what = spec.target;
  const auto colon = what.find(':');
  const Text scheme = what.substr(0, colon);
  const auto known = std::ranges::find(schemes, scheme, &Scheme::name);
  if (known == schemes.end() || colon == Text::npos) {
    std::vector<Text> names;
    for (const Scheme& s : schemes) names.push_back(s.name);
    throw bad("'{}' does not begin with what to probe by{}", what,
              colon == Text::npos
                  ? fmt::format(": {}:…", fmt::join(names, ":…, "))
                  : did_you_mean(scheme, names, fmt::format(", it is one of {}", fmt::join(names, ", "))));
  }
  known->read(spec, what.substr(colon + 1));
  for (std::size_t i = 1; i < parts.size(); ++i) read_option(spec, parts[i]);
  if (spec.rule.while_serving == 0s) spec.rule.while_serving = spec.rule.interval;
  spec.rule.what = spec.kind == ProbeSpec::Kind::http ? "GET " + spec.target : spec.target;
  return spec;
}

}  // namespace graced
