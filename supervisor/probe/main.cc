// graced-probe PROBE [FIRST-LAST [PATH]]: carries out one `--probe PROBE` of graced's and says in a line what
// it saw. 0: it passed, 1: it did not, 2: this is no probe of its. FIRST-LAST: local ports to connect from,
// 0-0: any. PATH: of a unix socket, where that is now.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "core/number.h"
#include "probe/look.h"

namespace graced {

namespace {

LocalPorts read_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_number<std::uint16_t>(text.substr(0, dash), 0, 65535);
  const auto last =
      dash == std::string_view::npos ? first : parse_number<std::uint16_t>(text.substr(dash + 1), 0, 65535);
  if (!first || !last || *last < *first)
    throw std::invalid_argument(fmt::format("'{}' are no local ports", text));
  if (*first == 0) return {};
  return {*first, static_cast<std::uint16_t>(*last - *first + 1)};
}

Look look(int argc, char** argv) {
  if (argc < 2 || argc > 4) throw std::invalid_argument("usage: graced-probe PROBE [FIRST-LAST [PATH]]");
  ProbeSpec spec = parse_probe_spec(argv[1]);
  const LocalPorts from = argc > 2 ? read_ports(argv[2]) : LocalPorts{};
  if (argc > 3) spec.unix_path = argv[3];
  switch (spec.kind) {
    case ProbeSpec::Kind::http:
      return look_by_http(spec, from);
    case ProbeSpec::Kind::tcp:
      return look_by_connecting(spec, from);
    case ProbeSpec::Kind::command:
      break;
  }
  throw std::invalid_argument("a command is run by graced itself");
}

}  // namespace

}  // namespace graced

int main(int argc, char** argv) {
  try {
    const graced::Look seen = graced::look(argc, argv);
    std::puts(seen.saw.c_str());
    std::fflush(stdout);
    std::_Exit(seen.passed ? 0 : 1);  // the kernel takes back what libraries would tidy up one by one
  } catch (const std::exception& e) {
    fmt::print(stderr, "graced-probe: {}\n", e.what());
    return 2;
  }
}
