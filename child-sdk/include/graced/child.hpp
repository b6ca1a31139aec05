// What a worker of graced may want: its sockets, a way to say that it is ready, a way to hear that
// it should leave, and a way to leave without dropping what it is doing. A plain C form of the same
// is in child.h.
//
// None of it needs graced. The protocols are those of sd_listen_fds(3) and sd_notify(3), so it works
// under systemd too; started by hand, a worker binds its own addresses and its words go nowhere.
//
//   namespace child = graced::child;
//   child::DrainToken drain;                                    // first, before any thread
//   child::Listener http = child::listen("http", "127.0.0.1:8080");
//   child::InFlight requests;
//   … start threads: each polls http and drain.fd(), accepts until drain.requested(), and holds
//     what requests.begin() gave it while it answers …
//   child::ready();
//   drain.wait();
//   child::stopping();
//   const bool all_answered = requests.shutdown(child::drain_limit().value_or(30s)) == child::Outcome::idle;
//
// Errors: what cannot work without its result throws, std::system_error for the kernel's refusals
// and std::invalid_argument for an address that makes no sense, each with one line that names the
// thing. What is said to the supervisor never throws, see ready().
// Every function may be called from any thread, at the same time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graced::child {

enum class Kind {
  stream,     // tcp, unix: listening
  datagram,   // udp, unix-dgram: bound
  seqpacket,  // unix-seqpacket: listening
  other,      // no socket of these types: a FIFO, a file
};

// A socket to take work from. Owns its descriptor, which is CLOEXEC, and closes it.
//
// An inherited socket is shared: graced, the generation before and the one after hold the same open
// file description. Hence
//   - never shutdown(2) it, that ends it for everybody; to stop accepting, close it;
//   - take it out of an epoll set (EPOLL_CTL_DEL) before closing it: an epoll set watches the
//     description, which lives on elsewhere, and would report it for ever;
//   - O_NONBLOCK, like every file status flag, belongs to the description: see set_nonblocking().
// What is still in the accept queue when a worker closes it is accepted by somebody else.
class Listener {
 public:
  Listener(int fd, std::string name, Kind kind, bool inherited) noexcept
      : fd_(fd), name_(std::move(name)), kind_(kind), inherited_(inherited) {}
  Listener(Listener&& other) noexcept
      : fd_(other.release()), name_(std::move(other.name_)), kind_(other.kind_), inherited_(other.inherited_) {}
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  int fd() const noexcept { return fd_; }                     // borrowed; -1 once released
  int release() noexcept { return std::exchange(fd_, -1); }   // now the caller's to close
  const std::string& name() const noexcept { return name_; }  // from LISTEN_FDNAMES, else as asked for
  Kind kind() const noexcept { return kind_; }
  bool inherited() const noexcept { return inherited_; }  // else bound by listen()

  int family() const;  // AF_INET, AF_INET6, AF_UNIX; 0 (AF_UNSPEC) for no socket. Throws std::system_error.

  // Where it is, as the kernel tells: "127.0.0.1:41234", "[::]:80", "unix:/run/a.sock",
  // "unix:@abstract", "" for no socket. Throws std::system_error.
  std::string address() const;

  // Sets O_NONBLOCK, for all who share the socket, in every generation. A worker that polls before
  // it accepts needs this: another one may take the connection in between, and a blocking accept
  // would then hang. A loop that blocks in accept4(2) must therefore be ready for EAGAIN, and
  // poll(2) then. Connections do not inherit the flag: ask accept4(2) for SOCK_NONBLOCK.
  // Throws std::system_error.
  void set_nonblocking() const;

 private:
  int fd_;
  std::string name_;
  Kind kind_;
  bool inherited_;
};

// The inherited sockets that nobody took yet, in the order of their descriptors; none if the worker
// was started by hand. Each is handed out once. The environment is read, and CLOEXEC set, by the
// first call of any function here; later changes to LISTEN_* are not seen, and it is left as it is.
// Throws std::system_error if LISTEN_FDS, LISTEN_FDNAMES or the descriptors contradict each other, and if
// graced passed sockets to another process (LISTEN_PID): a shell or npm stands before this program and must
// exec it.
std::vector<Listener> take_inherited();

// The first of them. Throws as above.
std::optional<Listener> take_next_inherited();

// The first of them with this name and kind. Throws as above.
std::optional<Listener> take_inherited(std::string_view name, std::optional<Kind> kind = {});

// The socket for `name`:
//   - the inherited one of that name, if its kind is the address's;
//   - else, if exactly one socket was passed at all, its kind fits and nobody gave it a name, that
//     one: with a single address nobody should have to name it. As names count those that were chosen
//     (`name=`, FileDescriptorName=), not those that graced and systemd fall back to: the port, the
//     last part of the path, "fd3", "web.socket", "unknown", "stored";
//   - else, if none was passed, one bound here to `address`, with SO_REUSEADDR and the backlog
//     SOMAXCONN; a unix socket file that nobody listens on any more is replaced.
// address: "8080" and ":8080" (every address), "127.0.0.1:8080", "[::1]:8080", "localhost:8080"
// (127.0.0.1), "unix:/path", "unix:@abstract"; "udp:" before any of the first four,
// "unix-dgram:", "unix-seqpacket:". Port 0 lets the kernel choose. Host names are not looked up.
// Throws std::invalid_argument for another address, std::system_error if the socket cannot be had,
// also if sockets were passed but none fits: binding would fail or, worse, split the traffic.
[[nodiscard]] Listener listen(std::string_view name, std::string_view address);

// All of these return true once the supervisor's socket has taken the message, and false otherwise,
// with errno: 0 if there is nobody to tell (no NOTIFY_SOCKET), else what went wrong. A worker need
// not care. They wait at most 5 s for a supervisor that does not read.

bool ready() noexcept;     // READY=1: accepting; in a reload, the old generation now leaves
bool stopping() noexcept;  // STOPPING=1: leaving

// STATUS=, one line for people (`graced status`); line breaks and control characters become spaces.
bool status(std::string_view text) noexcept;

// EXTEND_TIMEOUT_USEC=: the start or the drain now under way needs this much longer, from now.
bool extend_timeout(std::chrono::microseconds from_now) noexcept;

// Waits until the supervisor has worked off everything said before, at most `limit` (for ever if
// negative); false with errno ETIMEDOUT then. Useful right before exit.
bool barrier(std::chrono::milliseconds limit) noexcept;

// Any other assignments of sd_notify(3), separated by newlines, for a manager that knows them, for
// instance "ERRNO=2". graced itself ignores what the functions above do not say, WATCHDOG=1 too.
bool notify(std::string_view assignments) noexcept;

// Turns SIGTERM, or whatever signals are given, into something that can be waited for: a descriptor
// that becomes readable with the first of them and stays so. For poll, select and epoll in any
// number of threads, level or edge triggered; nobody must read from it or close it.
//
// Signals and threads: a handler is installed (SA_RESTART), so any thread may receive the signal,
// and children that the worker executes get the default action back. The constructor unblocks the
// signals in its own thread, in case the parent left them blocked: construct it early in main. Other
// threads may block them or not. poll, epoll_wait and their like return EINTR in the thread that got
// the signal, whatever SA_RESTART says: call them again.
//
// One at a time in a process, else std::logic_error; the destructor puts the former handlers back.
// After fork() the descriptor is shared with the parent: a process that forks workers of its own
// constructs a token in each of them, after the fork, and none before.
// Throws std::system_error.
class DrainToken {
 public:
  explicit DrainToken(std::initializer_list<int> signals = {SIGTERM}) : DrainToken(std::vector<int>(signals)) {}
  explicit DrainToken(const std::vector<int>& signals);
  DrainToken(const DrainToken&) = delete;
  DrainToken& operator=(const DrainToken&) = delete;
  ~DrainToken();

  int fd() const noexcept { return fd_; }  // borrowed
  bool requested() const noexcept;         // costs a look at a variable
  int signal() const noexcept;             // the first one that came; 0: none, or request()

  // As if a signal had come, for instance from an admin page.
  void request() noexcept;

  void wait() const;
  bool wait_for(std::chrono::milliseconds limit) const;  // false: the limit passed; rounded to 1 ms

 private:
  void restore() noexcept;

  int fd_ = -1;
  std::vector<std::pair<int, struct sigaction>> former_;
};

// How long this worker has from the drain signal until it is killed, less a little (a twentieth, 1 s at
// most) for its own exit: for InFlight::shutdown(). The shorter of graced's --drain-timeout and
// --stop-timeout, since the signal does not tell a reload from a stop; with --drain idle it comes late,
// --drain-grace before the end. nullopt: none is known, without graced or where it waits for ever.
std::optional<std::chrono::milliseconds> drain_limit() noexcept;

enum class Outcome { idle, limit_passed };

// Counts the requests being answered and waits for the last one, as Go's http.Server.Shutdown does
// with its context: no new ones, then until idle or until the limit, and it says which.
class InFlight {
 public:
  // One request; ends it when destroyed. Movable, may be ended by another thread, must not outlive
  // its InFlight.
  class Request {
   public:
    Request(Request&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Request& operator=(Request&& other) noexcept {
      if (this != &other) {
        end();
        of_ = std::exchange(other.of_, nullptr);
      }
      return *this;
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request() { end(); }
    void end() noexcept {
      if (InFlight* of = std::exchange(of_, nullptr)) of->leave();
    }

   private:
    friend class InFlight;
    explicit Request(InFlight* of) noexcept : of_(of) {}
    InFlight* of_;
  };

  InFlight();  // throws std::system_error: no descriptor left
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight();

  // nullopt once closed: turn the request away (503, Connection: close).
  [[nodiscard]] std::optional<Request> begin() {
    return enter() ? std::optional<Request>(Request(this)) : std::nullopt;
  }

  // The same by hand, where a request is no scope: leave() once for every enter() that said true. Once
  // too often changes nothing when nobody is left, and counts for another one before.
  [[nodiscard]] bool enter() noexcept;
  void leave() noexcept;

  // From now on begin() gives nullopt. Cannot be undone; a second call changes nothing.
  void close() noexcept;

  // close(), then waits. A negative limit or nanoseconds::max() means for ever, zero only asks.
  // After limit_passed it may be called again.
  [[nodiscard]] Outcome shutdown(std::chrono::nanoseconds limit);

  std::size_t count() const noexcept;

  // Readable once closed and idle, and then for ever: for an event loop, in place of shutdown().
  int idle_fd() const noexcept { return idle_fd_; }  // borrowed

 private:
  void tell_if_idle() noexcept;  // with mutex_ held

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t count_ = 0;
  bool closed_ = false;
  int idle_fd_;
};

// A connection that a client may use again at any moment (keep-alive) can be closed at the wrong one: its next
// request is under way, or its last answer not read yet. These three leave it with care. For a thread that
// serves one connection:
//
//   do {
//     if (!child::next_request(fd, drain, 60s)) break;   // nobody asks any more
//     … read a request; if the client has closed, break …
//     last = child::is_last_answer(fd, drain);
//     … answer, with "Connection: close" if last …
//   } while (!last);
//   child::finish(fd);
//
// What remains, and HTTP/1.1 cannot rule out, is a request that crosses with the end of an idle connection:
// clients repeat it. An event loop has timers of its own: it waits for no longer than `linger` once it is time
// to leave, asks is_last_answer(), and has finish() in two parts that do not wait, see examples/http_server.cc.

// Waits until there is something to read, if only the client's close. False: there was nothing for
// `keep_alive`, or for `linger` from when it was time to leave, at the last look either.
bool next_request(int connection, const DrainToken& drain, std::chrono::milliseconds keep_alive,
                  std::chrono::milliseconds linger = std::chrono::milliseconds(300)) noexcept;

// Whether the answer to be written now should be the connection's last: it is time to leave, and nothing waits
// to be read. What was read already, or is held by TLS, is the caller's to look at. Does not wait.
bool is_last_answer(int connection, const DrainToken& drain) noexcept;

// Closes a connection, the sending side first; what the client still sends is read and thrown away until it
// closes too, for `limit` at most, so that no answer is cut off by a reset. Takes the descriptor.
void finish(int connection, std::chrono::milliseconds limit = std::chrono::milliseconds(1000)) noexcept;

// The same for an event loop: begin_finish() closes the sending side, once the last answer has been handed to
// the kernel; false: the connection is gone. Then, whenever there is something to read, is_finished() throws it
// away; true: the client has closed as well, or is gone. Close the descriptor then, or after a second or so in
// any case.
bool begin_finish(int connection) noexcept;
bool is_finished(int connection) noexcept;

std::uint64_t generation() noexcept;  // GRACED_GENERATION, from 1; 0: not a worker of graced
unsigned worker_number() noexcept;    // GRACED_WORKER, 0…N-1 among its generation; 0 without graced
std::string name();                   // GRACED_NAME, of the instance; empty without graced

}  // namespace graced::child
