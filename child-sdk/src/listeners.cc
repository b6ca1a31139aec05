// The sockets that came with the process (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES as in
// sd_listen_fds(3)), each handed out once, and the one to bind when there are none.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fstream>

#include "address.h"
#include "graced/child.hpp"
#include "sys_error.h"

namespace graced::child {
namespace {

constexpr int first_passed_fd = 3;  // SD_LISTEN_FDS_START

struct Passed {
  int fd;
  std::string name;
  Kind kind;
  bool taken = false;
};

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

Kind kind_of(int fd) {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return Kind::other;
  if (type == SOCK_STREAM) return Kind::stream;
  if (type == SOCK_DGRAM) return Kind::datagram;
  if (type == SOCK_SEQPACKET) return Kind::seqpacket;
  return Kind::other;
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

std::vector<Passed> read_environment() {
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

class Inheritance {
 public:
  template <class Fits>
  std::optional<Listener> take(Fits fits) {
    const auto it = std::ranges::find_if(passed_, [&](const Passed& p) { return !p.taken && fits(p); });
    if (it == passed_.end()) return std::nullopt;
    it->taken = true;
    return Listener(it->fd, it->name, it->kind, true);
  }
  std::size_t size() const { return passed_.size(); }
  std::string names() const {
    std::string text;
    for (const Passed& p : passed_) text += (text.empty() ? "'" : ", '") + p.name + "'";
    return text;
  }

 private:
  std::vector<Passed> passed_ = read_environment();
};

std::mutex inheritance_mutex;

// With inheritance_mutex held. If reading throws, the next call reads again.
Inheritance& inheritance() {
  static Inheritance all;
  return all;
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

// Whether somebody gave it this name: systemd calls a socket after its unit, or "unknown" or "stored", graced
// calls it after its port, its path or its descriptor.
bool is_named(const Passed& p) {
  const std::string& name = p.name;
  if (name.empty() || name == "unknown" || name == "stored" || name.ends_with(".socket")) return false;
  if (all_digits(name) || (name.starts_with("fd") && all_digits(name.substr(2)))) return false;
  constexpr std::string_view prefix = "unix:";
  const std::string address = address_of(p.fd);
  return !address.starts_with(prefix) || last_part(std::string_view(address).substr(prefix.size())) != name;
}

bool listens(int fd) {
  int yes = 0;
  socklen_t length = sizeof yes;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &length) == 0 && yes != 0;
}

}  // namespace

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
    name_ = std::move(other.name_);
    kind_ = other.kind_;
    inherited_ = other.inherited_;
  }
  return *this;
}

Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
}

std::string Listener::address() const {
  return address_of(fd_);
}

void Listener::set_nonblocking() const {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0 || ::fcntl(fd_, F_SETFL, flags | O_NONBLOCK) != 0)
    throw sys_error("set O_NONBLOCK on '" + name_ + "'");
}

std::vector<Listener> take_inherited() {
  std::vector<Listener> all;
  while (auto next = take_next_inherited()) all.push_back(std::move(*next));
  return all;
}

std::optional<Listener> take_next_inherited() {
  const std::lock_guard lock(inheritance_mutex);
  return inheritance().take([](const Passed&) { return true; });
}

std::optional<Listener> take_inherited(std::string_view name, std::optional<Kind> kind) {
  const std::lock_guard lock(inheritance_mutex);
  return inheritance().take([&](const Passed& p) { return p.name == name && (!kind || p.kind == *kind); });
}

Listener listen(std::string_view name, std::string_view address) {
  const Address where = parse_address(address);
  const std::lock_guard lock(inheritance_mutex);
  Inheritance& all = inheritance();
  if (all.size() == 0) return {bind_address(where).release(), std::string(name), where.kind, false};

  auto found = all.take([&](const Passed& p) { return p.name == name && p.kind == where.kind; });
  if (!found && all.size() == 1) {
    found = all.take([&](const Passed& p) { return p.kind == where.kind && !is_named(p); });
  }
  if (!found) {
    throw sys_error_of(ENOENT, "no inherited socket is left for '" + std::string(name) + "' (" +
                                   std::string(address) + "), passed were " + all.names());
  }
  if (where.kind != Kind::datagram && !listens(found->fd())) {
    throw sys_error_of(EINVAL, "inherited socket '" + found->name() + "' does not listen");
  }
  return std::move(*found);
}

}  // namespace graced::child
