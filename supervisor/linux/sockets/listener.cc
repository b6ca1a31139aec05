// From an address as written to sockets, and from new options to the same sockets.
#include "linux/sockets/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <optional>
#include <utility>

#include "linux/base/inode.h"
#include "linux/base/socket_option.h"
#include "linux/base/sys_error.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/listen_addresses.h"
#include "linux/sockets/listen_socket.h"
#include "linux/sockets/shut_listener.h"

namespace graced {
namespace {

using Listeners = std::vector<std::shared_ptr<Listener>>;

void set_shared(int fd, const std::string& address) {
  const int yes = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) < 0)
    throw listen_error(errno, address + ": share the address");
}

std::shared_ptr<Listener> open_ip(const SocketAddress& where, const ListenSpec& spec, const Opening& opening) {
  if (spec.kind == AddressKind::udp && opening.share)
    return std::make_shared<Listener>(spec, open_shared_udp_socket(where, spec), UnixPath{});
  std::optional<Hidden> hidden;
  Fd fd = open_ip_socket(where, spec, [&](int bound) {
    if (spec.kind != AddressKind::tcp) return;
    // Not before bind(2), which would then not meet a stranger of the same user who shares it, too; not after
    // listen(2), where the kernel would make no group of it until a second one comes.
    if (opening.share) set_shared(bound, spec.address());
    if (opening.hidden) hidden = hide(bound, way_to_hide_for_a_while());
  });
  return std::make_shared<Listener>(spec, std::move(fd), UnixPath{}, hidden);
}

std::shared_ptr<Listener> open_unix(const ListenSpec& spec, const Opening& opening) {
  Fd fd = make_socket(AF_UNIX, spec);
  set_options(fd.get(), spec.options, spec.address());
  UnixPath path = bind_unix(fd.get(), spec);
  const int not_aside = opening.hidden && path ? path.step_aside(opening.spare_place) : 0;
  if (takes_connections(spec.kind)) start_listening(fd.get(), spec.options, spec.address());
  return std::make_shared<Listener>(spec, std::move(fd), std::move(path), not_aside);
}

// What graced opened itself is CLOEXEC, what came through exec cannot be: so a number that happens to be
// one of graced's own descriptors is not mistaken for an inherited one.
Fd take_descriptor(int number, const std::string& address) {
  const int flags = ::fcntl(number, F_GETFD);
  if (flags < 0 || (flags & FD_CLOEXEC) != 0) {
    throw ListenError(EBADF,
                      fmt::format("{}: descriptor {} was not given to graced (whoever starts it must leave it "
                                  "open, without close-on-exec)",
                                  address, number));
  }
  socket_kind(number, address);  // before anything is moved
  Fd moved(::fcntl(number, F_DUPFD_CLOEXEC, number + 1));
  if (!moved) throw listen_error(errno, address);
  if (number > STDERR_FILENO) {
    ::close(number);
    return moved;
  }
  // The next file to be opened must not become somebody's standard output.
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || ::dup2(null.get(), number) < 0) throw listen_error(errno, address);
  return moved;
}

Listeners open_descriptor(const ListenSpec& spec) {
  return {Listener::inherited(spec, take_descriptor(spec.fd, spec.address()))};
}

void set_nonblock(int fd, bool on, const std::string& address) {
  const int flags = ::fcntl(fd, F_GETFL);
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (flags < 0 || ::fcntl(fd, F_SETFL, wanted) < 0) throw listen_error(errno, address + ": option nonblock");
}

[[noreturn]] void cannot_change(const Listener& listener, std::string_view option) {
  throw ListenError(EINVAL,
                    fmt::format("{}: option {} cannot be changed while the socket is open (stop and start "
                                "graced, or use another address)",
                                listener.spec().address(), option));
}

std::string key_of(int fd, const std::optional<Hidden>& hidden) {
  SocketAddress where;
  if (!hidden) return group_key(fd);
  if (::getsockname(fd, where.get(), &where.length) != 0) return "";
  return group_key(fd, where, hidden->interface);
}

// What was given before and no longer is, at its default.
ListenOptions with_defaults(ListenOptions options, const ListenOptions& before) {
  if (before.no_delay && !options.no_delay) options.no_delay = false;
  if (before.keep_alive && !options.keep_alive) options.keep_alive = false;
  if (before.transparent && !options.transparent) options.transparent = false;
  if (before.defer_accept && !options.defer_accept) options.defer_accept = 0s;
  if (before.fast_open && !options.fast_open) options.fast_open = 0;
  if (before.mark && !options.mark) options.mark = 0;
  return options;
}

}  // namespace

Listener::Listener(ListenSpec spec, Fd fd, UnixPath path, std::optional<Hidden> hidden)
    : spec_(std::move(spec)),
      fd_(std::move(fd)),
      inode_(inode_of(fd_.get())),
      path_(std::move(path)),
      kind_(spec_.kind == AddressKind::inherited ? socket_kind(fd_.get(), spec_.address()) : spec_.kind),
      address_(bound_address(fd_.get(), kind_)),
      made_by_graced_(spec_.kind != AddressKind::inherited),
      hidden_(hidden),
      key_(key_of(fd_.get(), hidden_)) {}

Listener::Listener(ListenSpec spec, Fd fd, UnixPath path, int not_aside)
    : Listener(std::move(spec), std::move(fd), std::move(path)) {
  not_aside_ = not_aside;
}

void Listener::show() {
  if (hidden_) graced::show(fd(), *std::exchange(hidden_, std::nullopt));
  if (const int failed = path_.appear(); failed != 0) throw sys_error_of(failed, "give the socket its path");
}

void Listener::refuse() {
  if (made_by_graced_ && kind_ == AddressKind::tcp && !is_unseen(fd())) hide(fd(), Hidden::Way::unseen);
}

std::shared_ptr<Listener> Listener::inherited(ListenSpec spec, Fd fd) {
  spec.kind = AddressKind::inherited;
  auto listener = std::make_shared<Listener>(std::move(spec), std::move(fd), UnixPath{});
  const std::string address = listener->spec_.address();
  if (takes_connections(listener->kind_) && !is_listening(listener->fd())) {
    throw ListenError(EINVAL,
                      fmt::format("{}: the socket does not listen for connections (listen(2) was not called "
                                  "on it, or it is a connection itself)",
                                  address));
  }
  const ListenOptions& options = listener->spec_.options;
  set_options(listener->fd(), options, address);
  if (options.backlog && takes_connections(listener->kind_)) start_listening(listener->fd(), options, address);
  if (options.nonblock) set_nonblock(listener->fd(), *options.nonblock, address);
  if (takes_connections(listener->kind_) && !options.backlog) listener->queue_ = longest_queue(listener->fd());
  return listener;
}

std::shared_ptr<Listener> Listener::stand_in(const Listener& shut) {
  ListenSpec spec = shut.spec_;
  spec.kind = shut.kind_;
  const std::string address = spec.address();
  Fd fd = make_socket(AF_UNIX, spec);
  const sockaddr anywhere{.sa_family = AF_UNIX, .sa_data = {}};  // a name that the kernel chooses: unix(7)
  if (::bind(fd.get(), &anywhere, sizeof anywhere.sa_family) < 0) throw listen_error(errno, address);
  start_listening(fd.get(), spec.options, address);
  auto listener = std::make_shared<Listener>(shut.spec_, std::move(fd), UnixPath{});
  listener->address_ = shut.address_;
  listener->stands_in_ = true;
  return listener;
}

bool Listener::is_shut_for_ever() const {
  return (kind_ == AddressKind::unix_stream || kind_ == AddressKind::unix_seqpacket) && is_shut(fd());
}

std::optional<Listener::Queue> Listener::keep_queue() {
  if (!takes_connections(kind_) || !is_listening(fd())) return std::nullopt;
  const bool asked = made_by_graced_ || spec_.options.backlog;
  if (!asked && !queue_) return std::nullopt;
  const auto was = longest_queue(fd());
  if (was && was == queue_) return std::nullopt;
  ListenOptions options = spec_.options;
  if (!asked) options.backlog = queue_;
  start_listening(fd(), options, spec_.address());
  const auto is = longest_queue(fd());
  queue_ = is;
  return is && was && is != was ? std::optional(Queue{*is, *was}) : std::nullopt;
}

std::shared_ptr<Listener> Listener::restored(ListenSpec spec, Fd fd, FileId file) {
  const std::string address = spec.address();
  const int number = fd.get();
  if (socket_kind(number, address) != spec.kind) return nullptr;
  if (takes_connections(spec.kind) && !is_listening(number)) return nullptr;
  if (spec.kind == AddressKind::tcp && !show_again(number)) return nullptr;
  UnixPath path;
  if (file != FileId{}) {
    struct stat now {};
    if (::lstat(spec.path.c_str(), &now) != 0 || file_id(now) != file) return nullptr;
    path = UnixPath(spec.path);
  }
  auto listener = std::make_shared<Listener>(std::move(spec), std::move(fd), std::move(path));
  try {
    const ListenOptions& options = listener->spec_.options;
    if (listener->path_) listener->path_.set_access(options, address);
    set_options(number, with_defaults(options, options_set(number)), address);
    set_nonblock(number, options.nonblock.value_or(false), address);
    if (takes_connections(listener->kind_)) start_listening(number, options, address);
  } catch (...) {
    listener->leave_file();  // the socket is in the store, and may be good for the next attempt
    throw;
  }
  return listener;
}

Listeners open_listeners(const ListenSpec& spec, const Opening& opening) {
  switch (spec.kind) {
    case AddressKind::tcp:
    case AddressKind::udp: {
      Listeners opened;
      each_address(spec, [&](const SocketAddress& a) { opened.push_back(open_ip(a, spec, opening)); });
      return opened;
    }
    case AddressKind::unix_stream:
    case AddressKind::unix_dgram:
    case AddressKind::unix_seqpacket:
      return {open_unix(spec, opening)};
    case AddressKind::inherited:
      return open_descriptor(spec);
  }
  return {};
}

void try_to_listen(const ListenSpec& spec, std::vector<Fd>& before) {
  switch (spec.kind) {
    case AddressKind::tcp:
    case AddressKind::udp:
      return each_address(spec, [&](const SocketAddress& a) {
        if (Fd fd = try_ip_socket(a, spec, before)) before.push_back(std::move(fd));
      });
    case AddressKind::unix_stream:
    case AddressKind::unix_dgram:
    case AddressKind::unix_seqpacket:
      return try_unix_path(spec);
    case AddressKind::inherited:
      return;
  }
}

bool can_be_switched(const Listener& listener) {
  return listener.made_by_graced() && listener.kind() == AddressKind::tcp;
}

bool shares_datagrams(const Listener& listener) {
  return listener.made_by_graced() && listener.kind() == AddressKind::udp &&
         socket_option(listener.fd(), SOL_SOCKET, SO_REUSEPORT) == 1;
}

void share_address(const Listener& listener) {
  set_shared(listener.fd(), listener.spec().address());
}

std::shared_ptr<Listener> open_again(const Listener& listener, const ListenSpec& spec) {
  share_address(listener);
  return std::make_shared<Listener>(spec, open_ip_socket_again(listener.fd(), spec), UnixPath{});
}

void check_options(const Listener& listener, const ListenOptions& options) {
  const ListenOptions& before = listener.spec().options;
  if (options.ipv6_only.value_or(false) != before.ipv6_only.value_or(false))
    cannot_change(listener, "ipv6-only");
  if (options.free_bind.value_or(false) != before.free_bind.value_or(false))
    cannot_change(listener, "free-bind");
  if (options.device != before.device) cannot_change(listener, "device");
  // Workers that serve hold the same flag: it must not change under them.
  if (options.nonblock.value_or(false) != before.nonblock.value_or(false)) cannot_change(listener, "nonblock");
  if (before.receive_buffer && !options.receive_buffer) cannot_change(listener, "receive-buffer");
  if (before.send_buffer && !options.send_buffer) cannot_change(listener, "send-buffer");
}

void apply_options(Listener& listener, const ListenOptions& options) {
  const ListenOptions before = listener.spec_.options;
  if (options == before) return;
  check_options(listener, options);

  const std::string address = listener.spec_.address();
  const auto apply = [&](const ListenOptions& now, const ListenOptions& then) {
    const bool access = now.mode != then.mode || now.user != then.user || now.group != then.group;
    if (access && listener.path_) listener.path_.set_access(now, address);
    set_options(listener.fd(), with_defaults(now, then), address);
    if (now.backlog != then.backlog && takes_connections(listener.kind_)) {
      start_listening(listener.fd(), now, address);
    }
  };
  try {
    apply(options, before);
  } catch (...) {
    const auto why = std::current_exception();
    try {
      apply(before, options);
    } catch (const std::exception&) {
      // What could not be set cannot be set back either; the rest was, and the first reason counts.
    }
    std::rethrow_exception(why);
  }
  listener.spec_.options = options;
  listener.queue_.reset();
}

}  // namespace graced
