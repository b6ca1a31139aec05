// Runs a piece of a test in a process of its own, for what would spoil this one: descriptors at fixed
// numbers, other users, limits.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <string>

#include "linux/base/fd.h"

namespace graced {

// What body() returned, or the message of what it threw; "died" if it did not get that far.
template <class Body>
std::string in_child(const Body& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return "pipe failed";
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    // Out of the way of the numbers that a test may want.
    const int report = ::fcntl(writer.get(), F_DUPFD_CLOEXEC, 200);
    std::string said;
    try {
      said = body();
    } catch (const std::exception& error) { said = error.what(); } catch (...) {
      said = "a REQUIRE failed";
    }
    said = "+" + said;
    ::_exit(::write(report, said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  writer.reset();
  std::string heard;
  std::array<char, 1024> part;
  ssize_t length = 0;
  while ((length = ::read(reader.get(), part.data(), part.size())) > 0) {
    heard.append(part.data(), static_cast<std::size_t>(length));
  }
  ::waitpid(child, nullptr, 0);
  return heard.empty() ? "died" : heard.substr(1);
}

}  // namespace graced
