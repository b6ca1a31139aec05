// Reading LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, strictly: a mistake in them is a socket lost.
#include "passed.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fstream>

#include "address.h"
#include "descriptor.h"
#include "sys_error.h"

namespace graced::child {
namespace {

constexpr int first_passed_fd = 3;  // SD_LISTEN_FDS_START

std::optional<int> read_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

int read_variable(const char* name, const char* text, int least) {
  const auto number = read_number(text);
  if (!number || *number < least) throw sys_error_of(EINVAL, std::string(name) + "=" + text);
  return *number;
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  for (auto colon = text.find(':'); colon != text.npos; colon = text.find(':')) {
    names.emplace_back(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  names.emplace_back(text);
  return names;
}

void set_cloexec(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) {
    throw sys_error("LISTEN_FDS announces descriptor " + std::to_string(fd));
  }
}

// LISTEN_PID names another process. As a rule that is our parent, which took them and left its environment to
// us. From graced they are for this program, and something that does not take them stands before it: binding
// beside them would be an outage that calls itself ready.
void refuse_what_is_for(pid_t pid, const char* fds) {
  if (std::getenv("GRACED_GENERATION") == nullptr || std::string_view(fds) == "0") return;
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  // Whoever gives himself a name may put anything into it.
  std::ranges::replace_if(
      name, [](unsigned char c) { return c < ' ' || c == 127; }, '?');
  throw sys_error_of(EINVAL, "sockets were passed to PID " + std::to_string(pid) +
                                 (name.empty() ? "" : " (" + name + ")") + ": use exec");
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

// The last part of a unix socket's path, as graced writes it into LISTEN_FDNAMES.
std::string last_part(std::string_view path) {
  std::string last(path.substr(path.find_last_of("/@") + 1));
  std::ranges::replace_if(
      last, [](unsigned char c) { return c <= ' ' || c > '~' || c == ':'; }, '_');
  return last;
}

}  // namespace

std::vector<Passed> read_passed() {
  const char* const pid = std::getenv("LISTEN_PID");
  const char* const fds = std::getenv("LISTEN_FDS");
  if (pid == nullptr || fds == nullptr) return {};
  if (const int of = read_variable("LISTEN_PID", pid, 1); of != ::getpid()) {
    refuse_what_is_for(of, fds);
    return {};
  }
  const int count = read_variable("LISTEN_FDS", fds, 0);
  if (count > INT_MAX - first_passed_fd) throw sys_error_of(EINVAL, std::string("LISTEN_FDS=") + fds);

  const char* const text = std::getenv("LISTEN_FDNAMES");
  std::vector<std::string> names;
  if (text != nullptr && count > 0) names = split_names(text);
  if (text != nullptr && names.size() != static_cast<std::size_t>(count)) {
    throw sys_error_of(EINVAL,
                       std::string("LISTEN_FDNAMES=") + text + " does not name " + fds + " descriptors");
  }
  std::vector<Passed> passed;
  for (int i = 0; i < count; ++i) {
    const int fd = first_passed_fd + i;
    set_cloexec(fd);
    passed.push_back({fd, names.empty() ? "unknown" : names[static_cast<std::size_t>(i)], kind_of(fd)});
  }
  return passed;
}

bool is_named(const Passed& p) {
  const std::string& name = p.name;
  if (name.empty() || name == "unknown" || name == "stored" || name.ends_with(".socket")) return false;
  if (all_digits(name) || (name.starts_with("fd") && all_digits(name.substr(2)))) return false;
  constexpr std::string_view prefix = "unix:";
  const std::string address = address_of(p.fd);
  return !address.starts_with(prefix) || last_part(std::string_view(address).substr(prefix.size())) != name;
}

}  // namespace graced::child
