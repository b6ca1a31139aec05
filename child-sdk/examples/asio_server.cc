// The library with Boost.Asio, or Asio alone: the socket, the word, keep-alive, and leaving. Not a part of the
// build, it needs libboost-dev or libasio-dev:
//
//   c++ -std=c++17 asio_server.cc $(pkg-config --cflags --libs graced-child) -o asio_server
//   graced run -l 8080 -- ./asio_server
//
// Every GET is answered with PID and generation. Asio takes a socket that it was given by its number out of its
// epoll set before it closes it, as it has to be with one that is shared.
#if __has_include(<boost/asio.hpp>)
#include <boost/asio.hpp>
namespace asio = boost::asio;
using Error = boost::system::error_code;
#else
#include <asio.hpp>
using Error = asio::error_code;
#endif
#include <cstdio>
#include <graced/child.hpp>
#include <set>

namespace child = graced::child;
using namespace std::chrono_literals;
using Stream = asio::generic::stream_protocol;  // TCP and Unix sockets alike

constexpr auto keep_alive = 60s;  // for a client's next request
constexpr auto patience = 30s;    // for the rest of it, and for its reading of the answer
constexpr auto linger = 300ms;    // for one more when it is time to leave
constexpr auto farewell = 1s;     // for the client's close after ours

class Connection;
struct Server {
  asio::io_context loop;
  child::DrainToken drain;
  std::set<Connection*> idle;  // those that wait for a request
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server& server, Stream::socket socket)
      : server_(server), socket_(std::move(socket)), timer_(server.loop) {}
  ~Connection() { server_.idle.erase(this); }

  void next_request() {
    if (!in_.empty()) return read();  // it came with the one before
    server_.idle.insert(this);
    wait_for(server_.drain.requested() ? std::chrono::milliseconds(linger) : keep_alive);
    socket_.async_wait(Stream::socket::wait_read, [self = shared_from_this()](Error e) {
      self->server_.idle.erase(self.get());
      Error gone;
      if (e && self->socket_.available(gone) == 0) return self->finish();  // not at the last look either
      self->read();
    });
  }

  void leave_soon() { wait_for(linger); }

 private:
  // For what comes next. Once the timer has fired its handler runs, though something else may have come before.
  void wait_for(std::chrono::milliseconds limit) {
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this()](Error e) {
      if (!e && self->timer_.expiry() <= std::chrono::steady_clock::now()) self->socket_.cancel(e);
    });
  }

  void read() {
    wait_for(patience);
    asio::async_read_until(socket_, asio::dynamic_buffer(in_, 16384), "\r\n\r\n",
                           [self = shared_from_this()](Error e, std::size_t n) { self->heard(e, n); });
  }

  void heard(Error e, std::size_t size) {
    if (e) return finish();
    // A real server reads headers as RFC 9110 has them.
    const bool client_closes = in_.substr(0, size).find("\r\nConnection: close\r\n") != in_.npos;
    in_.erase(0, size);
    last_ = client_closes || (in_.empty() && child::is_last_answer(socket_.native_handle(), server_.drain));
    const std::string body =
        "pid " + std::to_string(::getpid()) + " generation " + std::to_string(child::generation()) + "\n";
    out_ = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
           (last_ ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n") + body;
    asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](Error failed, std::size_t) {
      failed || self->last_ ? self->finish() : self->next_request();
    });
  }

  void finish() {
    if (!child::begin_finish(socket_.native_handle())) return;
    wait_for(farewell);
    throw_away();
  }

  void throw_away() {
    socket_.async_wait(Stream::socket::wait_read, [self = shared_from_this()](Error e) {
      if (e || child::is_finished(self->socket_.native_handle()))
        self->timer_.cancel();  // which is with that the last to know the connection, which closes it
      else
        self->throw_away();
    });
  }

  Server& server_;
  Stream::socket socket_;
  asio::steady_timer timer_;
  std::string in_, out_;
  bool last_ = false;
};

void accept(Server& server, asio::basic_socket_acceptor<Stream>& acceptor) {
  acceptor.async_accept([&](Error e, Stream::socket socket) {
    if (!e) std::make_shared<Connection>(server, std::move(socket))->next_request();
    if (acceptor.is_open()) accept(server, acceptor);
  });
}

int main() try {
  Server server;
  child::Listener http = child::listen("http", "127.0.0.1:8080");
  http.set_nonblocking();
  const Stream protocol(http.family(), 0);
  asio::basic_socket_acceptor<Stream> acceptor(server.loop, protocol, http.release());
  accept(server, acceptor);

  asio::posix::stream_descriptor leave(server.loop, server.drain.fd());
  leave.async_wait(leave.wait_read, [&](Error) {
    child::stopping();
    leave.release();  // the library's to close
    // At a stop nobody comes who would accept what waits in the queue. Bounded, for at a reload it may never be
    // empty.
    acceptor.non_blocking(true);
    Error none;
    for (int i = 0; i < 1000 && !none; ++i) {
      Stream::socket socket(server.loop);
      acceptor.accept(socket, none);
      if (!none) std::make_shared<Connection>(server, std::move(socket))->next_request();
    }
    acceptor.close();
    for (Connection* c : server.idle) c->leave_soon();
  });
  child::ready();
  server.loop.run();
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
