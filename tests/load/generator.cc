// Clients that connect, ask, wait and ask again, and the one loop that serves them.
#include "generator.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "linux/base/sys_error.h"

namespace load {
namespace {

using namespace std::chrono_literals;

// Epoll's data: the client and the number of its connection, or one of these.
constexpr std::uint64_t stop_event = ~std::uint64_t{0};
constexpr std::uint64_t timer_event = stop_event - 1;

// A client that failed does not hammer a server which refuses at once.
constexpr Duration failure_pause = 10ms;
// A unix socket with a full queue says EAGAIN and nothing more, so it is asked again.
constexpr Duration retry_pause = 1ms;

Instant clock_now() {
  return std::chrono::steady_clock::now();
}

void watch(const graced::Fd& epoll, int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0)
    throw graced::sys_error("watch descriptor {}", fd);
}

}  // namespace

Generator::Generator(const Options& options, Target target, graced::Fd stop)
    : options_(options),
      target_(std::move(target)),
      stop_(std::move(stop)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      question_(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: graced-load\r\n{}\r\n", options.path,
                            target_.host(), options.keep_alive ? "" : "Connection: close\r\n")),
      now_(clock_now()),
      tally_(now_),
      end_(now_ + options.time),
      give_up_(end_ + options.timeout),
      clients_(options.clients) {
  if (!epoll_ || !timer_) throw graced::sys_error("epoll or timer");
  watch(epoll_, stop_.get(), EPOLLIN, stop_event);
  watch(epoll_, timer_.get(), EPOLLIN, timer_event);
  for (std::size_t i = 0; i < clients_.size(); ++i) resting_.push(Turn{now_, i});
}

void Generator::run() {
  std::array<epoll_event, 256> events;
  for (;;) {
    now_ = clock_now();
    if (now_ >= end_) end("time");
    expire();
    issue();
    if (!ended_by_.empty() && outstanding_ == 0 && overdue_.empty()) return;

    arm(next_deadline());
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (n < 0 && errno != EINTR) throw graced::sys_error("wait for events");
    for (int i = 0; i < n; ++i) on_event(events[static_cast<std::size_t>(i)].data.u64);
  }
}

void Generator::end(std::string_view why) {
  if (!ended_by_.empty()) return;
  ended_by_ = why;
  end_ = std::min(now_, end_);
  give_up_ = now_ + options_.timeout;
}

// Requests that are due go to whoever rests; in the closed loop one is due whenever a client has rested.
void Generator::issue() {
  while (!retries_.empty() && retries_.front().when <= now_) {
    const std::size_t client = retries_.front().client;
    retries_.pop_front();
    if (clients_[client].doing == Doing::retrying) connect(client);
  }

  const auto may_issue = [&] { return ended_by_.empty() && issued_ < options_.count.value_or(issued_ + 1); };
  const auto someone_rested = [&] { return !resting_.empty() && resting_.top().when <= now_; };
  const auto next_client = [&] {
    const std::size_t client = resting_.top().client;
    resting_.pop();
    return client;
  };
  if (options_.rate) {
    const auto due_time = [&] {
      return start_ + std::chrono::duration_cast<Duration>(
                          std::chrono::duration<double>(static_cast<double>(issued_) / *options_.rate));
    };
    for (; may_issue() && due_time() <= now_; ++issued_) overdue_.push_back(due_time());
    while (!overdue_.empty() && someone_rested()) {
      const Instant due = overdue_.front();
      overdue_.pop_front();
      begin(next_client(), due);
    }
  } else {
    while (may_issue() && someone_rested()) {
      ++issued_;
      begin(next_client(), now_);
    }
  }
  if (options_.count && issued_ >= *options_.count) end("count");
}

void Generator::begin(std::size_t index, Instant due) {
  Client& client = clients_[index];
  ++outstanding_;
  ++client.request;
  client.due = due;
  client.reply = Reply{};
  limits_.push_back(Limit{now_ + options_.timeout, index, client.request});

  // A connection closed while nothing was asked is no failure: every client looks before it asks.
  char byte;
  if (client.fd && (::recv(client.fd.get(), &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)) client.fd.reset();
  if (!client.fd) return connect(index);
  client.reused = true;
  client.sent = 0;
  client.doing = Doing::asking;
  send(index);
}

void Generator::connect(std::size_t index) {
  Client& client = clients_[index];
  int result = 0;
  client.fd = target_.connect(result);
  client.reused = false;
  client.broken = 0;
  client.sent = 0;
  ++client.connection;
  if (result == EAGAIN) {
    client.fd.reset();
    client.doing = Doing::retrying;
    retries_.push_back(Turn{now_ + retry_pause, index});
    return;
  }
  if (result != 0 && result != EINPROGRESS) return fail_connecting(index, result);
  client.doing = Doing::connecting;
  watch(epoll_, client.fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        static_cast<std::uint64_t>(client.connection) << 32 | index);
  if (result == 0) became_connected(index);
}

void Generator::became_connected(std::size_t index) {
  tally_.connected();
  clients_[index].doing = Doing::asking;
  send(index);
}

void Generator::on_event(std::uint64_t data) {
  if (data == stop_event) {
    stop_.reset();  // it stays readable
    return end("signal");
  }
  if (data == timer_event) {
    std::uint64_t ticks;
    (void)!::read(timer_.get(), &ticks, sizeof ticks);
    return;
  }
  const auto index = static_cast<std::size_t>(data & 0xffffffff);
  Client& client = clients_[index];
  if (!client.fd || client.connection != static_cast<std::uint32_t>(data >> 32)) return;

  if (client.doing == Doing::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(client.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail_connecting(index, error);
    return became_connected(
        index);  // an answer cannot be there before the question: it makes an event of its own
  }
  if (client.doing == Doing::asking) {
    send(index);
    receive(index);
  }
}

void Generator::send(std::size_t index) {
  Client& client = clients_[index];
  while (client.sent < question_.size() && client.broken == 0) {
    const ssize_t n =
        ::send(client.fd.get(), question_.data() + client.sent, question_.size() - client.sent, MSG_NOSIGNAL);
    if (n >= 0) {
      client.sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      return;
    } else {
      client.broken = errno;
    }
  }
  // Told by sending, and by no event after that.
  if (client.broken != 0) receive(index);
}

void Generator::receive(std::size_t index) {
  static std::array<char, 64 * 1024> buffer;
  Client& client = clients_[index];
  while (client.doing == Doing::asking) {
    const ssize_t n = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EAGAIN) {
      if (client.broken != 0) fail_broken(index, client.broken == ECONNRESET);
      return;
    }
    if (n < 0) return fail_broken(index, true);
    const Reply::State state =
        n == 0 ? client.reply.end() : client.reply.feed({buffer.data(), static_cast<std::size_t>(n)});
    if (state == Reply::State::complete || state == Reply::State::malformed) return finish(index);
    if (n == 0) return fail_broken(index, client.broken == ECONNRESET);
  }
}

void Generator::finish(std::size_t index) {
  Client& client = clients_[index];
  now_ = clock_now();
  const Reply& reply = client.reply;
  if (reply.state() == Reply::State::malformed || reply.status() / 100 != 2) return fail(index, Failure::http);
  if (!reply.body().starts_with(options_.expect)) return fail(index, Failure::body);

  const Answerer* const fresh = tally_.answered(now_ - client.due, reply.body(), now_);
  if (fresh != nullptr && options_.follow) {
    fmt::print("{{\"new_pid\":{},\"generation\":{},\"at_ns\":{}}}\n", fresh->pid, fresh->generation,
               now_.time_since_epoch().count());
    std::fflush(stdout);
  }
  if (!options_.keep_alive || !reply.keep_alive()) client.fd.reset();
  rest(index, options_.pause);
}

void Generator::fail(std::size_t index, Failure kind) {
  tally_.failed(kind, now_);
  clients_[index].fd.reset();
  rest(index, options_.rate ? Duration{} : std::max(options_.pause, failure_pause));
}

void Generator::fail_connecting(std::size_t index, int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:
      return fail(index, Failure::refused);
    case ECONNRESET:
      return fail(index, Failure::reset);
    case ETIMEDOUT:
      return fail(index, Failure::timeout);
    default:
      return fail(index, Failure::local);
  }
}

void Generator::fail_broken(std::size_t index, bool reset) {
  const Client& client = clients_[index];
  if (client.reply.state() == Reply::State::partial) return fail(index, Failure::partial);
  if (client.reused) return fail(index, reset ? Failure::reused_reset : Failure::reused_eof);
  fail(index, reset ? Failure::reset : Failure::eof);
}

void Generator::rest(std::size_t index, Duration how_long) {
  clients_[index].doing = Doing::resting;
  --outstanding_;
  resting_.push(Turn{now_ + how_long, index});
}

void Generator::expire() {
  while (!limits_.empty()) {
    const Limit limit = limits_.front();
    const Client& client = clients_[limit.client];
    const bool over = client.request != limit.request || client.doing == Doing::resting;
    if (!over && limit.when > now_) break;
    limits_.pop_front();
    if (!over) fail(limit.client, Failure::timeout);
  }
  if (ended_by_.empty() || now_ < give_up_) return;
  for (; !overdue_.empty(); overdue_.pop_front()) tally_.unasked();
}

Instant Generator::next_deadline() const {
  Instant next = ended_by_.empty() ? end_ : give_up_;
  if (!limits_.empty()) next = std::min(next, limits_.front().when);
  if (!retries_.empty()) next = std::min(next, retries_.front().when);
  if (!ended_by_.empty()) return next;
  if (options_.rate) {
    const std::chrono::duration<double> due(static_cast<double>(issued_) / *options_.rate);
    next = std::min(next, start_ + std::chrono::duration_cast<Duration>(due));
  } else if (!resting_.empty()) {
    next = std::min(next, resting_.top().when);
  }
  return next;
}

void Generator::arm(Instant when) {
  if (when == armed_ && when > now_) return;
  armed_ = when;
  const auto since = std::max(when.time_since_epoch(), Duration{1});
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(since / 1s);
  spec.it_value.tv_nsec = static_cast<long>((since % 1s).count());
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace load
