// The text of --help, and arguments as it promises to read them.
#include "options.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>

namespace load {

const char* const help_text =
    R"(usage: graced-load [OPTION…] HOST:PORT | unix:PATH

Asks a server for the same thing many times, counts every way it can go wrong, and reports in JSON.

  --keep-alive      many requests on a connection (else a connection for each)
  --rate N          N requests a second by the clock; latency counts from when each was due
  --clients N       how many ask at once (8; with --rate at most this many: 512)
  --pause TIME      without --rate: between an answer and that client's next request
  --count N         end after N requests
  --time TIME       end after TIME (10s), whatever else is asked
  --timeout TIME    for one request, and for what is outstanding at the end (5s)
  --path PATH       what to ask for (/)
  --expect TEXT     every answer's body begins with TEXT
  --follow          print {"new_pid":…} on stdout when a process answers for the first time
  --human           a summary on stderr

TIME is 250ms, 5s, 2min; a bare number is seconds. SIGTERM and SIGINT end it: what is outstanding is
finished, then reported. Exit status: 0 all went well, 1 something failed, 2 usage.
)";

namespace {

template <class T>
T number(std::string_view option, std::string_view text, T least, T most) {
  T value{};
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !(value >= least) || !(value <= most)) {
    throw UsageError(fmt::format("{}: '{}' is not a number between {} and {}", option, text, least, most));
  }
  return value;
}

Duration duration(std::string_view option, std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  static constexpr std::array<Unit, 5> units{{{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}}};
  const auto digits = text.find_first_not_of("0123456789.");
  const std::string_view unit = digits == text.npos ? "s" : text.substr(digits);
  for (const Unit& u : units) {
    if (u.name != unit) continue;
    const auto value = number(option, text.substr(0, digits), 0.0, 1e6);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value * u.seconds));
  }
  throw UsageError(fmt::format("{}: '{}' is not a time such as 250ms, 5s or 2min", option, text));
}

}  // namespace

std::optional<Options> read_options(const std::vector<std::string>& args) {
  Options options;
  std::optional<unsigned> clients;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    const auto value = [&]() -> const std::string& {
      if (++i == args.size()) throw UsageError(fmt::format("{} needs a value, see graced-load --help", arg));
      return args[i];
    };
    if (arg == "--help" || arg == "-h") return std::nullopt;
    if (arg == "--keep-alive") {
      options.keep_alive = true;
    } else if (arg == "--rate") {
      options.rate = number(arg, value(), 0.001, 1e6);
    } else if (arg == "--clients") {
      clients = number(arg, value(), 1U, 100'000U);
    } else if (arg == "--pause") {
      options.pause = duration(arg, value());
    } else if (arg == "--count") {
      options.count = number<std::uint64_t>(arg, value(), 1, 1'000'000'000'000);
    } else if (arg == "--time") {
      options.time = duration(arg, value());
    } else if (arg == "--timeout") {
      options.timeout = duration(arg, value());
    } else if (arg == "--path") {
      options.path = value();
      if (!options.path.starts_with('/'))
        throw UsageError(fmt::format("--path: '{}' does not begin with /", options.path));
      if (options.path.find_first_of(" \r\n\t") != options.path.npos) {
        throw UsageError("--path: white space must be written as %20");
      }
    } else if (arg == "--expect") {
      options.expect = value();
    } else if (arg == "--follow") {
      options.follow = true;
    } else if (arg == "--human") {
      options.human = true;
    } else if (arg.starts_with('-')) {
      throw UsageError(fmt::format("unknown option {}, see graced-load --help", arg));
    } else if (options.target.empty()) {
      options.target = arg;
    } else {
      throw UsageError(fmt::format("one target is enough, '{}' is the second", arg));
    }
  }
  if (options.target.empty()) throw UsageError("no target: name HOST:PORT or unix:PATH");
  if (options.rate && options.pause != Duration{}) throw UsageError("--pause and --rate exclude each other");
  options.clients = clients.value_or(options.rate ? 512 : 8);
  return options;
}

}  // namespace load
