// The sockets that came with the process, each handed out once, and the one to bind when there are none.
#include <unistd.h>

#include <algorithm>

#include "address.h"
#include "descriptor.h"
#include "graced/child.hpp"
#include "passed.h"
#include "sys_error.h"

namespace graced::child {
namespace {

class Inheritance {
 public:
  template <class Fits>
  std::optional<Listener> take(Fits fits) {
    const auto it = std::ranges::find_if(passed_, [&](const Passed& p) { return !p.taken && fits(p); });
    if (it == passed_.end()) return std::nullopt;
    it->taken = true;
    return Listener(it->fd, it->name, it->kind, true);
  }
  const std::string* name_of(int fd) const {
    const auto it = std::ranges::find(passed_, fd, &Passed::fd);
    return it == passed_.end() ? nullptr : &it->name;
  }
  std::size_t size() const { return passed_.size(); }
  std::string names() const {
    std::string text;
    for (const Passed& p : passed_) text += (text.empty() ? "'" : ", '") + p.name + "'";
    return text;
  }

 private:
  std::vector<Passed> passed_ = read_passed();
};

std::mutex inheritance_mutex;

// With inheritance_mutex held. If reading throws, the next call reads again.
Inheritance& inheritance() {
  static Inheritance all;
  return all;
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

int Listener::family() const {
  return family_of(fd_);
}

void Listener::set_nonblocking() const {
  child::set_nonblocking(fd_, "'" + name_ + "'");
}

const std::string* name_of_passed(int fd) {
  const std::lock_guard lock(inheritance_mutex);
  return inheritance().name_of(fd);
}

std::optional<Listener> take_next_inherited(Kind kind) {
  const std::lock_guard lock(inheritance_mutex);
  return inheritance().take([&](const Passed& p) { return p.kind == kind; });
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
