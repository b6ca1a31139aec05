#include "linux/self/own_program.h"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "linux/base/sys_error.h"

namespace graced {

std::string own_program(const std::string& name, const std::string& installed) {
  std::vector<std::string> places;
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length > 0) {
    const std::string path(self, static_cast<std::size_t>(length));
    const std::string directory = path.substr(0, path.rfind('/'));
    places.push_back(fmt::format("{}/{}", directory, name));
    places.push_back(fmt::format("{}/libexec/graced/{}", directory.substr(0, directory.rfind('/')), name));
  }
  const std::string last = fmt::format("{}/{}", installed, name);
  if (places.empty() || places.back() != last) places.push_back(last);
  for (const std::string& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return place;
  }
  throw std::runtime_error(
      fmt::format("{} is not installed: there is no {}", name, fmt::join(places, ", nor ")));
}

void become_own_program(const std::string& path, const std::vector<std::string>& words) {
  std::vector<char*> arguments{const_cast<char*>(path.c_str())};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(path.c_str(), arguments.data());
  throw sys_error("start {}", path);
}

}  // namespace graced
