// {fd:NAME} in a command or a variable: the number under which a worker finds that socket.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "options/options.h"

namespace graced {

// Names the command, the variables and the check ask for, each once, in the order they are met.
std::vector<std::string> fd_names_used(const RunOptions& options);

// `number_of` is asked for every name; what it throws passes through.
std::string replace_fd_names(std::string_view text, const std::function<int(std::string_view)>& number_of);

}  // namespace graced
