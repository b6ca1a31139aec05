#include "exporter/exporter_options.h"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <sstream>
#include <stdexcept>

#include "core/printable.h"

namespace graced {
namespace {

namespace po = boost::program_options;

constexpr Duration shortest = 200ms;
constexpr Duration longest = 60s;

po::options_description description() {
  po::options_description all("Options", 100);
  auto add = all.add_options();
  add("listen", po::value<std::string>()->value_name("ADDR")->default_value("127.0.0.1:9917"),
      "where to serve, as graced's --listen; not used where systemd passes a socket");
  add("control", po::value<std::vector<std::string>>()->value_name("PATH"),
      "a control socket that is in none of the usual places (repeatable)");
  add("time-limit", po::value<std::string>()->value_name("TIME")->default_value("3s"),
      "how long one look at all instances may take");
  add("show-secrets",
      "tell last words of workers and command lines, where this user may see them; they can hold anything");
  add("help", "print this");
  add("version", "print the version");
  return all;
}

template <class Read>
auto read_as(std::string_view option, const std::string& text, Read read) {
  try {
    return read(text);
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument(fmt::format("--{} {}: {}", option, printable(text), e.what()));
  }
}

Duration read_limit(const std::string& text) {
  const auto limit = parse_duration(text);
  if (!limit || *limit < shortest || *limit > longest)
    throw std::invalid_argument(
        fmt::format("give a time from {} to {}, as 3s", to_text(shortest), to_text(longest)));
  return *limit;
}

}  // namespace

ExporterOptions parse_exporter_options(const std::vector<std::string>& args) {
  const po::options_description all = description();
  po::variables_map given;
  try {
    using namespace po::command_line_style;
    po::store(po::command_line_parser(args)
                  .options(all)
                  .positional(po::positional_options_description{})
                  .style(unix_style & ~allow_guessing)
                  .run(),
              given);
  } catch (const po::error& e) { throw std::invalid_argument(printable(e.what())); }
  ExporterOptions options;
  if (given.count("help") > 0) {
    std::ostringstream text;
    text << "graced-exporter: metrics and state of all instances of graced on this machine, over HTTP\n\n"
         << all;
    options.text = text.str();
  } else if (given.count("version") > 0) {
    options.text = "graced-exporter " GRACED_VERSION "\n";
  }
  options.listen = read_as("listen", given["listen"].as<std::string>(), parse_listen_spec);
  if (options.listen.kind != AddressKind::tcp && options.listen.kind != AddressKind::unix_stream)
    throw std::invalid_argument(
        fmt::format("--listen {}: HTTP needs tcp or a unix stream socket", options.listen.address()));
  options.time_limit = read_as("time-limit", given["time-limit"].as<std::string>(), read_limit);
  if (given.count("control") > 0) options.controls = given["control"].as<std::vector<std::string>>();
  options.show_secrets = given.count("show-secrets") > 0;
  return options;
}

}  // namespace graced
