// What a descriptor is, whoever gave it. All of them throw std::system_error.
#pragma once

#include <string>

#include "graced/child.hpp"

namespace graced::child {

Kind kind_of(int fd);
int family_of(int fd);  // AF_UNSPEC: no socket
bool listens(int fd);

// what: how a refusal calls it.
void set_nonblocking(int fd, const std::string& what);

}  // namespace graced::child
