// Gives sd-bus what the client sends, within bounds. The kernel is asked once, at the start, who the client is.
#include "linux/control/control_connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "linux/base/duplicate.h"
#include "linux/base/sys_error.h"

namespace graced {
namespace {

constexpr std::size_t longest_message = 1 << 16;  // ours are some hundred bytes
constexpr std::uint64_t most_unread = 64;         // messages a client has not read
constexpr std::size_t piece = 4096;               // fits into any empty pipe
constexpr int kernel_buffer = 256 * 1024;         // of what a client has not read; sd-bus would ask for 8 MB
constexpr const char* driver = "org.freedesktop.DBus";

void must(int result, const char* what) {
  if (result < 0) throw sys_error_of(result, "control connection: {}", what);
}

ucred peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    throw sys_error("control connection: ask who it is");
  return peer;
}

}  // namespace

ControlConnection::Descriptors ControlConnection::open_descriptors(int socket) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw sys_error("control connection: make a pipe");
  Fd input{ends[0]};
  Fd feed{ends[1]};
  return {duplicate(socket), std::move(input), std::move(feed)};
}

ControlConnection::ControlConnection(Loop& loop, Fd socket, Descriptors descriptors, std::uint64_t serial,
                                     Duration greeting_limit, const sd_bus_vtable* vtable, Owner& owner)
    : owner_(owner),
      serial_(serial),
      greeted_by_(monotonic_now() + greeting_limit),
      uid_(peer_of(socket.get()).uid),
      pid_(peer_of(socket.get()).pid),
      socket_(std::move(socket)),
      feed_(std::move(descriptors.feed)) {
  sd_bus* bus = nullptr;
  must(sd_bus_new(&bus), "make a bus");
  bus_.reset(bus);
  must(sd_bus_set_fd(bus, descriptors.input.get(), descriptors.output.get()), "hand over the socket");
  input_ = descriptors.input.release();
  output_ = descriptors.output.release();
  sd_id128_t server{};
  must(sd_id128_randomize(&server), "make an id");
  must(sd_bus_set_server(bus, 1, server), "be the server");
  // Over the pipe sd-bus cannot ask the kernel who the client is, nor need it: we have.
  must(sd_bus_set_anonymous(bus, 1), "take whoever comes");
  must(sd_bus_negotiate_fds(bus, 0), "refuse descriptors");
  must(sd_bus_add_filter(bus, nullptr, &ControlConnection::on_message, this), "listen");
  must(sd_bus_add_object_vtable(bus, nullptr, control::path, control::interface, vtable, this),
       "offer the object");
  must(sd_bus_start(bus), "start");
  static_cast<void>(::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &kernel_buffer, sizeof kernel_buffer));

  io_ = loop.on_fd(socket_.get(), EPOLLIN, Priority::in_turn, [this] { woken(); });
  timer_ = loop.timer([this] { woken(); });
  arm();
}

bool ControlConnection::may_change_things() const {
  return uid_ == 0 || uid_ == ::geteuid();
}

sd_bus* ControlConnection::ready_bus() const {
  return !given_up_ && sd_bus_is_ready(bus_.get()) > 0 ? bus_.get() : nullptr;
}

void ControlConnection::sent() noexcept {
  std::uint64_t waiting = 0;
  if (sd_bus_get_n_queued_write(bus_.get(), &waiting) < 0 || waiting > most_unread) return give_up();
  try {
    arm();
  } catch (...) { give_up(); }
}

// Whatever goes wrong between one client and us costs us that client and nothing else.
void ControlConnection::woken() noexcept {
  bool alive = false;
  try {
    alive = process() && (ready_bus() != nullptr || monotonic_now() < greeted_by_);
    if (alive) arm();
  } catch (...) { alive = false; }
  if (!alive) owner_.connection_ended(*this);  // which destroys this one
}

// A client that goes on sending is not listened to for ever.
void ControlConnection::read_on() noexcept {
  constexpr int most = 64;
  bool alive = true;
  try {
    for (int i = 0; alive && i < most && !something_unread(); ++i) {
      char any = 0;
      if (::recv(socket_.get(), &any, 1, MSG_PEEK | MSG_DONTWAIT) < 0) break;
      alive = process();
    }
    if (alive) arm();
  } catch (...) { alive = false; }
  if (!alive) owner_.connection_ended(*this);  // which destroys this one
}

bool ControlConnection::is_hung_up() const {
  pollfd socket{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&socket, 1, 0) == 1;
}

bool ControlConnection::write_on() noexcept {
  if (ready_bus() == nullptr) return true;
  while (something_unread()) {
    if (sd_bus_process(bus_.get(), nullptr) <= 0) break;
  }
  return sd_bus_is_open(bus_.get()) <= 0 || !something_unread();
}

std::vector<int> ControlConnection::descriptors() const {
  return {socket_.get(), feed_.get(), input_, output_};
}

bool ControlConnection::process() {
  if (!digest()) return false;
  if (something_unread()) return true;

  std::array<char, piece> part;
  const ssize_t n = ::recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
  if (n == 0) return false;
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  unfinished_ += static_cast<std::size_t>(n);
  if (unfinished_ > longest_message) return false;
  return ::write(feed_.get(), part.data(), static_cast<std::size_t>(n)) == n && digest();
}

// Lets sd-bus take all that was fed, unless the client is to read first. False: it is over.
bool ControlConnection::digest() {
  for (;;) {
    const int more = sd_bus_process(bus_.get(), nullptr);
    if (more < 0 || given_up_ || sd_bus_is_open(bus_.get()) <= 0) return false;
    if (more == 0 || something_unread()) return true;
  }
}

bool ControlConnection::something_unread() const {
  std::uint64_t waiting = 0;
  return sd_bus_get_n_queued_write(bus_.get(), &waiting) < 0 || waiting > 0;
}

void ControlConnection::arm() {
  const int wanted = sd_bus_get_events(bus_.get());
  must(wanted, "what to wait for");
  const bool unread = something_unread();
  const bool unwritten =
      unread || (static_cast<unsigned>(wanted) & EPOLLOUT) != 0;  // or a word of the greeting
  const std::uint32_t events = (unread ? 0u : EPOLLIN) | (unwritten ? EPOLLOUT : 0u);
  must(io_.set_events(events), "wait for it");

  // sd-bus has a deadline of its own for the greeting, of minutes; afterwards there is none.
  timer_.fire_at(ready_bus() != nullptr ? no_deadline : greeted_by_);
}

// We may be anywhere in a callback of this connection, so it only hangs up; the event that raises ends it.
void ControlConnection::give_up() noexcept {
  given_up_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

// Before sd-bus looks for an object. A bus would answer some calls itself, and clients made for buses,
// busctl among them, do not begin without: there is no bus here, so graced answers them.
int ControlConnection::on_message(sd_bus_message* message, void* self_, sd_bus_error*) noexcept {
  auto& self = *static_cast<ControlConnection*>(self_);
  self.unfinished_ = 0;
  self.spoken_ = true;
  self.owner_.message_begins();

  const auto is = [&](const char* interface, const char* method) {
    return sd_bus_message_is_method_call(message, interface, method) > 0;
  };
  try {
    const std::string name = fmt::format(":1.{}", self.serial_);
    if (is(driver, "Hello")) return sd_bus_reply_method_return(message, "s", name.c_str());
    if (is(driver, "AddMatch") || is(driver, "RemoveMatch")) return sd_bus_reply_method_return(message, "");
    if (is("org.freedesktop.DBus.Monitoring", "BecomeMonitor")) {
      const int replied = sd_bus_reply_method_return(message, "");
      if (replied < 0) return replied;
      return sd_bus_emit_signal(self.bus_.get(), "/org/freedesktop/DBus", driver, "NameLost", "s",
                                name.c_str());
    }
  } catch (...) { return -ENOMEM; }
  return 0;
}

}  // namespace graced
