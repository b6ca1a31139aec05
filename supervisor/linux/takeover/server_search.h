// Which process is meant by what was typed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/take_target.h"
#include "linux/manager/unit_stop.h"

namespace graced {

struct ServerSearch {
  std::optional<pid_t> process;  // above all others that have its sockets
  std::string nothing;           // none: one line says why, unless something is in the way
  std::vector<std::string> in_the_way;
};

// Throws std::system_error where /proc or systemd cannot be asked at all.
ServerSearch search_server(const TakeTarget& target);

}  // namespace graced
