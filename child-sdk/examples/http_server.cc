// A complete keep-alive HTTP/1.1 server on one epoll loop that leaves without losing a request.
//
//   graced run -l 8080 -- example-http-server      on every stream socket that it is handed
//   example-http-server [ADDR]                     by hand, on 127.0.0.1:8080 or ADDR
//
// GET or HEAD of anything tells PID and generation; /slow?ms=200 takes its time without keeping
// others waiting. How it drains: it accepts what is already queued, then no more; every answer says
// Connection: close from now on; who has no request under way may send one more for `linger`. Only
// then is the connection closed, the sending side first, so that no answer is cut off by a reset.
// What HTTP/1.1 cannot rule out is a request that crosses with that last close: clients repeat it.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <unordered_map>

#include "graced/child.hpp"
#include "http_request.h"

namespace {

namespace child = graced::child;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto keep_alive = 60s;      // for a client's next request
constexpr auto patience = 5s;         // for its first request, the rest of a head, its reading of an answer
constexpr auto linger = 300ms;        // for one more request while draining
constexpr auto farewell = 1s;         // for its own close after ours
constexpr auto accept_pause = 100ms;  // when descriptors have run out
constexpr std::size_t longest_backlog = 65536;  // of answers to pipelined requests

struct Connection {
  int fd;
  Clock::time_point since;  // when what it waits for began
  Clock::time_point due{};  // when that has taken too long
  std::string in{};
  std::string out{};
  std::optional<Clock::time_point> answer_at{};  // a slow request is under way
  bool head_only = false;                        // and it is a HEAD
  bool answered = false;                         // at least one request
  bool last = false;                             // nothing follows the answer in `out`
  bool half_closed = false;  // by us; reads on, so that the client gets to see the last answer
  bool at_end = false;       // the client sends no more
  std::uint32_t watched = EPOLLIN;
};

class Server {
 public:
  Server(const child::DrainToken& drain, std::vector<child::Listener> listeners)
      : drain_(drain), listeners_(std::move(listeners)) {
    if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    control(EPOLL_CTL_ADD, drain_.fd(), EPOLLIN);
    for (const child::Listener& l : listeners_) l.set_nonblocking();
    watch_listeners(true);
  }

  void run() {
    child::ready();
    epoll_event events[64];
    while (!draining_ || !connections_.empty()) {
      const int n = ::epoll_wait(epoll_, events, 64, wait_ms());
      now_ = Clock::now();
      if (drain_.requested() && !draining_) drain();  // before the answers, which are told by it
      for (int i = 0; i < n; ++i) {
        const int fd = events[i].data.fd;
        if (const auto it = connections_.find(fd); it != connections_.end()) {
          if (events[i].events & (EPOLLERR | EPOLLHUP)) {
            drop(it->second);
          } else {
            advance(it->second);
          }
        } else if (std::ranges::any_of(listeners_, [&](const child::Listener& l) { return l.fd() == fd; })) {
          accept_from(fd);
        }
      }
      if (now_ >= next_due_) sweep();
    }
  }

 private:
  void control(int operation, int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_, operation, fd, &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  int wait_ms() const {
    if (next_due_ == Clock::time_point::max()) return -1;
    return static_cast<int>(
        std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(next_due_ - Clock::now())).count());
  }

  void watch_listeners(bool yes) {
    if (std::exchange(accepting_, yes) == yes) return;
    for (const child::Listener& l : listeners_) control(yes ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l.fd(), EPOLLIN);
  }

  // A few at a time, so that connections get their turn. False: no more for now.
  bool accept_from(int listener) {
    for (int i = 0; i < 64; ++i) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        control(EPOLL_CTL_ADD, fd, EPOLLIN);
        advance(connections_.emplace(fd, Connection{.fd = fd, .since = now_}).first->second);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        watch_listeners(false);  // or epoll would report them without end
        resume_at_ = now_ + accept_pause;
        next_due_ = std::min(next_due_, resume_at_);
        return false;
      } else if (errno == EAGAIN) {
        return false;
      }
    }
    return true;
  }

  void drain() {
    draining_ = true;
    drain_began_ = now_;
    child::stopping();
    control(EPOLL_CTL_DEL, drain_.fd(), 0);
    // Bounded, for the next generation accepts from the same queue and it may never be empty.
    for (const child::Listener& l : listeners_) {
      for (int rounds = 0; rounds < 64 && accept_from(l.fd());) ++rounds;
    }
    watch_listeners(false);
    resume_at_ = Clock::time_point::max();
    listeners_.clear();
    for (Connection* c : all_connections()) advance(*c);
  }

  std::vector<Connection*> all_connections() {
    std::vector<Connection*> all;
    for (auto& [fd, c] : connections_) all.push_back(&c);
    return all;
  }

  // Answers, writes and reads until the connection has to wait for its client or for the clock.
  // It may be gone afterwards.
  void advance(Connection& c) {
    for (int reads = 0;;) {
      if (!c.last && !c.answer_at && c.out.size() < longest_backlog && answer_next(c)) continue;
      if (!c.out.empty()) {
        const ssize_t n = ::send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN ? wait(c, EPOLLOUT, c.since + patience) : drop(c);
        c.out.erase(0, static_cast<std::size_t>(n));
        c.since = now_;
        continue;
      }
      if (c.answer_at) {
        if (now_ < *c.answer_at) return wait(c, 0, *c.answer_at);
        c.answer_at.reset();
        tell_who(c);
        continue;
      }
      if (c.last && !std::exchange(c.half_closed, true)) {
        if (!child::begin_finish(c.fd)) return drop(c);
        c.since = now_;
      }
      if (c.at_end) return drop(c);
      if (c.half_closed) return child::is_finished(c.fd) ? drop(c) : wait(c, EPOLLIN, limit(c));
      if (++reads > 16) return wait(c, EPOLLIN, limit(c));
      if (!read_some(c)) return errno == EAGAIN ? wait(c, EPOLLIN, limit(c)) : drop(c);
    }
  }

  // False, with errno: there was nothing.
  bool read_some(Connection& c) const {
    char buffer[16 * 1024];
    const ssize_t n = ::recv(c.fd, buffer, sizeof buffer, 0);
    if (n < 0) return false;
    if (n == 0) c.at_end = true;
    if (c.in.empty()) c.since = now_;
    c.in.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  // How long a connection may leave us without bytes.
  Clock::time_point limit(const Connection& c) const {
    if (c.half_closed) return c.since + farewell;
    if (!c.answered || !c.in.empty()) return c.since + patience;
    return draining_ ? drain_began_ + linger : c.since + keep_alive;
  }

  void wait(Connection& c, std::uint32_t events, Clock::time_point due) {
    if (std::exchange(c.watched, events) != events) control(EPOLL_CTL_MOD, c.fd, events);
    c.due = due;
    next_due_ = std::min(next_due_, due);
  }

  void drop(const Connection& c) {
    ::close(c.fd);
    connections_.erase(c.fd);
  }

  void sweep() {
    if (now_ >= resume_at_) {
      resume_at_ = Clock::time_point::max();
      watch_listeners(true);
    }
    next_due_ = resume_at_;
    for (Connection* c : all_connections()) {
      const int fd = c->fd;
      if (now_ >= c->due) advance(*c);  // one last look: it may have sent something, or be due its answer
      if (!connections_.contains(fd)) continue;
      if (now_ < c->due) {
        next_due_ = std::min(next_due_, c->due);
      } else if (c->answered && c->in.empty() && c->out.empty() && !c->half_closed) {
        c->last = true;  // idle: nothing to say but goodbye
        advance(*c);
      } else {
        drop(*c);
      }
    }
  }

  // Answers the next request of `in`, or puts the answer off. False: none is complete.
  bool answer_next(Connection& c) {
    const std::optional<Request> request = take_request(c.in);
    if (!request) return false;
    c.since = now_;
    if (request->refusal != nullptr) {
      c.last = true;  // where the next request begins is anybody's guess
      say(c, request->refusal, std::string(request->refusal) + "\n", false);
      return true;
    }
    c.last = request->client_closes;
    c.head_only = request->head_only;
    if (request->slow > 0ms) {
      c.answer_at = now_ + request->slow;
    } else {
      tell_who(c);
    }
    return true;
  }

  void tell_who(Connection& c) {
    // What came pipelined behind this request is answered too.
    if (draining_ && c.in.find(end_of_head) == c.in.npos) {
      if (!child::is_last_answer(c.fd, drain_)) read_some(c);
      if (c.in.find(end_of_head) == c.in.npos) c.last = true;
    }
    say(c, "200 OK", who_, c.head_only);
  }

  static void say(Connection& c, std::string_view status, std::string_view body, bool head_only) {
    c.out += answer_text(status, body, head_only, c.last);
    c.answered = true;
  }

  const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  const child::DrainToken& drain_;
  std::vector<child::Listener> listeners_;
  std::unordered_map<int, Connection> connections_;
  const std::string who_ =
      "pid " + std::to_string(::getpid()) + " generation " + std::to_string(child::generation()) + "\n";
  bool accepting_ = false;
  bool draining_ = false;
  Clock::time_point now_ = Clock::now();
  Clock::time_point drain_began_{};
  Clock::time_point resume_at_ = Clock::time_point::max();
  Clock::time_point next_due_ = Clock::time_point::max();  // no connection is due before
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 2) return std::fprintf(stderr, "usage: %s [ADDR]\n", argv[0]), 2;
  const child::DrainToken drain{SIGTERM, SIGINT};
  std::vector<child::Listener> listeners = child::take_inherited();
  std::erase_if(listeners, [](const child::Listener& l) { return l.kind() != child::Kind::stream; });
  if (listeners.empty()) {
    listeners.push_back(child::listen("http", argc > 1 ? argv[1] : "127.0.0.1:8080"));
    std::fprintf(stderr, "listening on %s\n", listeners.front().address().c_str());
  }
  Server(drain, std::move(listeners)).run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
