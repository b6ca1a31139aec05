// Addresses opened as a user would write them, for the tests of listeners.
#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "linux/sockets/listener.h"

namespace graced {

template <class Body>
inline std::string error_of(const Body& body) {
  try {
    body();
  } catch (const std::system_error& error) { return error.what(); }
  return "no error";
}

inline std::string error_of_opening(const std::string& text) {
  return error_of([&] { open_listeners(parse_listen_spec(text)); });
}

inline std::shared_ptr<Listener> open_one(const std::string& text) {
  auto opened = open_listeners(parse_listen_spec(text));
  REQUIRE(opened.size() == 1);
  return opened.front();
}

inline int option_of(const Listener& listener, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(listener.fd(), level, name, &value, &size);
  return value;
}

// What /proc calls this test program.
inline std::string own_name() {
  std::string name;
  std::getline(std::ifstream("/proc/self/comm"), name);
  return name;
}

}  // namespace graced
