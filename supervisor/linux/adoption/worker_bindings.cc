#include "linux/adoption/worker_bindings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/printable.h"
#include "linux/base/inode.h"
#include "linux/proc/look_rights.h"
#include "linux/proc/process.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

namespace {

constexpr std::size_t most_listed = 64;  // of what passed through

bool is_connected(int fd) {
  SocketAddress peer;
  return ::getpeername(fd, peer.get(), &peer.length) == 0;
}

}  // namespace

AddressKind kind_of(int fd) {
  try {
    return socket_kind(fd, "");
  } catch (const ListenError&) { return AddressKind::inherited; }
}

WorkerBindings::WorkerBindings(Fd notifications, bool wait_killable, std::vector<Predeclared> predeclared)
    : notifications_(std::move(notifications)),
      wait_killable_(wait_killable),
      predeclared_(std::move(predeclared)) {}

void WorkerBindings::answer(const AdoptionRequest& request, Verdict verdict) {
  const bool answered = verdict ? notifications_.answer(request.id, *verdict) : notifications_.pass(request.id);
  // Without wait_killable even an answer that the kernel has taken can be lost: a wait that was just
  // interrupted does not look for it.
  const bool heard = answered && wait_killable_;
  if (this_bind_.socket != 0 && !heard) {
    last_bind_ = this_bind_;
  } else if (answered && last_bind_.thread == request.thread) {
    last_bind_ = {};
  }
  this_bind_ = {};
}

void WorkerBindings::begins_bind(const AdoptionRequest& request, const SocketAddress& where) {
  this_bind_ = {request.thread, 0, where};
}

WorkerBindings::Verdict WorkerBindings::bind_again(ino_t inode) {
  this_bind_.socket = inode;
  if (this_bind_ == last_bind_) return 0;
  this_bind_ = {};
  return std::nullopt;
}

const WorkerBindings::Predeclared* WorkerBindings::predeclared(const std::string& key) const {
  const auto found = std::ranges::find(predeclared_, key, &Predeclared::key);
  return found != predeclared_.end() ? &*found : nullptr;
}

void WorkerBindings::take_back(int predeclared) {
  std::erase_if(predeclared_, [&](const Predeclared& p) { return p.fd == predeclared; });
}

// File status flags belong to the open file, so the worker's own go along.
WorkerBindings::Verdict WorkerBindings::take_predeclared(const AdoptionRequest& request,
                                                         const Predeclared& ours, const Fd& socket) {
  ::fcntl(ours.fd, F_SETFL, ::fcntl(socket.get(), F_GETFL));
  if (const int failed = replace(request, ours.fd); failed != 0) return failed;
  const ino_t inode = inode_of(ours.fd);
  this_bind_.socket = inode;
  if (find(inode) != sockets_.end()) return 0;
  add(request, ours.key, bound_address(ours.fd, kind_of(ours.fd)), inode).predeclared = true;
  return 0;
}

int WorkerBindings::replace(const AdoptionRequest& request, int ours) {
  return notifications_.replace(request.id, ours, request.fd, closes_on_exec(request.thread, request.fd));
}

AdoptedSocket& WorkerBindings::add(const AdoptionRequest& request, const std::string& key,
                                   const std::string& address, ino_t inode, std::shared_ptr<AdoptedName> name) {
  if (sockets_.size() >= look_again_at_) {
    forget_closed();
    look_again_at_ = std::max<std::size_t>(64, 2 * sockets_.size());
  }
  AdoptedSocket& added = sockets_.emplace_back();
  added.key = key;
  added.address = address;
  added.inode = inode;
  added.name = std::move(name);
  added.holder = {request.thread, request.fd};
  if (added.name) called_by_its_name(added);
  this_bind_.socket = inode;
  ++changes_;
  return added;
}

void WorkerBindings::let_go(ino_t inode) {
  changes_ += std::erase_if(sockets_, [&](const auto& s) { return s.inode == inode; });
}

void WorkerBindings::forget_closed() {
  std::set<ino_t> unsure;
  for (const AdoptedSocket& s : sockets_) {
    if (!s.listening || !holds(s.holder, s.inode)) unsure.insert(s.inode);
  }
  changes_ +=
      std::erase_if(sockets_, [](const AdoptedSocket& s) { return s.datagrams && is_connected(s.fd.get()); });
  if (unsure.empty()) return;
  const auto holders = holders_of(unsure);
  if (!holders) return;
  const auto closed = [&](AdoptedSocket& s) {
    if (!unsure.contains(s.inode)) return false;
    const auto holder = holders->find(s.inode);
    if (holder == holders->end()) return true;
    s.holder = holder->second;
    if (s.listening) return false;
    const Fd socket = copy_descriptor(s.holder.thread, s.holder.number);
    return socket && inode_of(socket.get()) == s.inode && is_connected(socket.get());
  };
  changes_ += std::erase_if(sockets_, closed);
}

std::vector<std::string> WorkerBindings::take_notes() {
  return std::exchange(notes_, {});
}

std::vector<AdoptedSocket>::iterator WorkerBindings::find(ino_t inode) {
  return std::ranges::find(sockets_, inode, &AdoptedSocket::inode);
}

void WorkerBindings::pass(const std::string& address) {
  if (passed_through_.size() >= most_listed || std::ranges::count(passed_through_, address) != 0) return;
  passed_through_.push_back(address);
}

void WorkerBindings::note(const std::string& text) {
  if (noted_.size() < most_listed && noted_.insert(text).second) notes_.push_back(text);
}

void WorkerBindings::note_refused(const AdoptionRequest& request, int code) {
  note(fmt::format(
      "what process {} ({}) binds is not handed off: {}", request.thread, printable(name_of(request.thread)),
      code == EPERM ? fmt::format("graced may not look into it ({})", why_no_descriptor(look_rights()))
                    : std::generic_category().message(code)));
}

}  // namespace graced
