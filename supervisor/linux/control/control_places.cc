// What the environment says about places, and what is found there.
#include "linux/control/control_places.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>

#include "linux/base/fd.h"
#include "linux/base/file_id.h"
#include "linux/base/unix_address.h"

namespace graced {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// systemd lists several directories with colons between; the first one is ours.
std::string first_of(const std::string& list) {
  return list.substr(0, list.find(':'));
}

// Connecting is enough to tell: only a socket nobody listens on refuses. A full backlog (EAGAIN) or
// a refused permission is somebody's.
bool somebody_listens(const std::string& path) {
  const auto address = unix_path_address(path);
  if (!address) return false;

  const Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return true;
  if (::connect(socket.get(), address->get(), address->length) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

class Search {
 public:
  explicit Search(Closed closed) : closed_(closed) {}

  void look_at(const std::filesystem::path& directory) {
    look_at_socket(directory / "control", directory.filename());
  }

  void look_at_socket(const std::string& control, const std::string& name) {
    struct stat file {};
    if (::stat(control.c_str(), &file) != 0) {
      if (errno == EACCES && closed_ == Closed::told) found_.push_back({name, control});
      return;
    }
    if (!S_ISSOCK(file.st_mode)) return;
    if (!seen_.insert(file_id(file)).second) return;
    found_.push_back({name, control});
  }

  std::vector<Found> sorted() && {
    std::ranges::sort(found_, {}, [](const Found& f) { return std::pair(f.name, f.control); });
    return std::move(found_);
  }

 private:
  Closed closed_;
  std::set<FileId> seen_;
  std::vector<Found> found_;
};

}  // namespace

bool is_live_control(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode) && somebody_listens(path);
}

ControlPlaces control_places() {
  return {.runtime_directory = from_environment("RUNTIME_DIRECTORY"),
          .xdg_runtime_dir = from_environment("XDG_RUNTIME_DIR"),
          .control = from_environment("GRACED_CONTROL"),
          .euid = ::geteuid()};
}

std::string default_control_path(const std::string& name, const ControlPlaces& places) {
  if (!places.runtime_directory.empty()) return first_of(places.runtime_directory) + "/control";
  if (places.euid == 0) return fmt::format("{}/{}/control", places.system_directory, name);
  if (!places.xdg_runtime_dir.empty()) return fmt::format("{}/graced/{}/control", places.xdg_runtime_dir, name);
  throw std::runtime_error(
      "no place for the control socket: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set, so give one with "
      "--control PATH");
}

std::vector<std::string> instance_directories(const ControlPlaces& places) {
  std::vector<std::string> directories{places.system_directory};
  if (!places.xdg_runtime_dir.empty()) directories.push_back(places.xdg_runtime_dir + "/graced");
  return directories;
}

std::vector<Found> control_sockets(const ControlPlaces& places, Closed closed) {
  Search search{closed};
  for (const std::string& directory : instance_directories(places)) {
    std::error_code unreadable;  // a place that is missing or not ours to read holds nothing for us
    std::filesystem::directory_iterator entry{directory, unreadable};
    while (!unreadable && entry != std::filesystem::directory_iterator{}) {
      search.look_at(entry->path());
      entry.increment(unreadable);
    }
  }
  if (!places.runtime_directory.empty()) search.look_at(first_of(places.runtime_directory));
  if (!places.control.empty()) search.look_at_socket(places.control, places.control);
  return std::move(search).sorted();
}

std::vector<Found> find_instances(const ControlPlaces& places) {
  std::vector<Found> found = control_sockets(places);
  for (Found& f : found) f.live = somebody_listens(f.control);
  return found;
}

}  // namespace graced
