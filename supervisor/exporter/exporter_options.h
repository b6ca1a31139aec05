// The command line of graced-exporter.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/listen_spec.h"
#include "core/time.h"

namespace graced {

struct ExporterOptions {
  ListenSpec listen;
  std::vector<std::string> controls;  // paths of sockets, beside those in the usual places
  Duration time_limit{};              // of one look at all instances
  bool show_secrets = false;
  std::optional<std::string> text;  // to be printed instead: help, or the version
};

// args: without the program's name. Throws std::invalid_argument, one line.
ExporterOptions parse_exporter_options(const std::vector<std::string>& args);

}  // namespace graced
