// Programs that belong to graced and are none that a person starts, found as git finds its own.
#pragma once

#include <string>
#include <vector>

namespace graced {

// Beside graced's own file, or below the prefix that this lies in, or where `installed` says. Throws
// std::runtime_error that says where it was looked for.
std::string own_program(const std::string& name, const std::string& installed);

// This process goes on as that program, with these words behind its name. Throws std::system_error where it
// cannot.
[[noreturn]] void become_own_program(const std::string& path, const std::vector<std::string>& words);

}  // namespace graced
