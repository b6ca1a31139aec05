// The example server from outside: what it answers, and that it leaves without losing a request.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <csignal>
#include <string_view>

#include "supervised.h"

namespace {

// The server with one inherited socket and somebody to talk to; gone at the end of the test.
class Worker {
 public:
  explicit Worker(rlim_t descriptors = 0) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    at_.sin_family = AF_INET;
    at_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at_;
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at_), length) == 0);
    REQUIRE(::listen(listener_.get(), 64) == 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at_), &length);
    pid_ = ::fork();
    if (pid_ == 0) {
      become_heir({{listener_.get()}, "web"});
      ::setenv("NOTIFY_SOCKET", supervisor_.name().c_str(), 1);
      ::setenv("GRACED_GENERATION", "7", 1);
      const rlimit limit{descriptors, descriptors};
      if (descriptors > 0) ::setrlimit(RLIMIT_NOFILE, &limit);
      ::execl(EXAMPLE_HTTP_SERVER, "example-http-server", nullptr);
      ::_exit(127);
    }
    REQUIRE(supervisor_.hear() == "READY=1");
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  std::string body() const { return "pid " + std::to_string(pid_) + " generation 7\n"; }
  std::string answer(const char* connection) const {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body().size()) +
           "\r\nConnection: " + connection + "\r\n\r\n" + body();
  }
  const sockaddr_in& at() const { return at_; }
  void signal(int signo) const { ::kill(pid_, signo); }
  void drain() {
    signal(SIGTERM);
    REQUIRE(supervisor_.hear() == "STOPPING=1");
  }
  // Its exit status, 128 + signal if it was killed.
  int exit_status() {
    int how = 0;
    ::waitpid(std::exchange(pid_, -1), &how, 0);
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
  }

 private:
  Descriptor listener_;
  NotifySocket supervisor_;
  sockaddr_in at_{};
  pid_t pid_ = -1;
};

class Client {
 public:
  explicit Client(const Worker& worker) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{generous_ms / 1000, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&worker.at()), sizeof worker.at()) == 0);
  }
  void send(std::string_view text) const {
    REQUIRE(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  void get(const std::string& path = "/") const { send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); }
  void half_close() const { ::shutdown(fd_.get(), SHUT_WR); }

  // As many bytes, or fewer if the server ends the connection or is silent for too long.
  std::string hear(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t n = ::recv(fd_.get(), text.data() + have, size - have, 0);
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    return text.substr(0, have);
  }
  bool hears(const std::string& expected) const { return hear(expected.size()) == expected; }
  // Everything up to an orderly end.
  std::string hear_all() const {
    std::string text;
    char part[1024];
    ssize_t n;
    while ((n = ::recv(fd_.get(), part, sizeof part, 0)) > 0) text.append(part, static_cast<std::size_t>(n));
    return n == 0 ? text : text + " and no end";
  }

 private:
  Descriptor fd_;
};

}  // namespace

TEST_CASE("one connection carries many requests, also several at once and one in pieces") {
  const Worker worker;
  const Client client(worker);
  const std::string answer = worker.answer("keep-alive");
  for (int i = 0; i < 3; ++i) {
    client.get();
    CHECK(client.hears(answer));
  }
  client.send("GET / HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n\r\nGET /b HT");
  CHECK(client.hears(answer + answer));
  client.send("TP/1.1\r");
  client.send("\n\r\n");
  CHECK(client.hears(answer));
}

TEST_CASE("HEAD has the head alone") {
  const Worker worker;
  const Client client(worker);
  const std::string answer = worker.answer("keep-alive");
  client.send("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  CHECK(client.hears(answer.substr(0, answer.find("\r\n\r\n") + 4) + answer));
}

TEST_CASE("the connection ends when the client says so, or speaks HTTP/1.0") {
  const Worker worker;
  for (const char* request :
       {"GET / HTTP/1.1\r\nX: y\r\ncOnnection:  Close \r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    const Client client(worker);
    client.send(request);
    CHECK(client.hear_all() == worker.answer("close"));
  }
  const Client old(worker);
  old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(old.hears(worker.answer("keep-alive")));
}

TEST_CASE("a client that has sent all it will is still answered") {
  const Worker worker;
  const Client client(worker);
  client.get("/slow?ms=20");
  client.get();
  client.half_close();
  CHECK(client.hear_all() == worker.answer("keep-alive") + worker.answer("keep-alive"));
}

TEST_CASE("a slow request keeps nobody else waiting") {
  const Worker worker;
  const Client slow(worker);
  const Client quick(worker);
  slow.get("/slow?ms=60000");
  quick.get();
  CHECK(quick.hears(worker.answer("keep-alive")));
  const Client less_slow(worker);
  less_slow.get("/slow?ms=30");
  CHECK(less_slow.hears(worker.answer("keep-alive")));
}

TEST_CASE("what it does not speak is refused and the connection ended") {
  const Worker worker;
  const std::pair<std::string, const char*> requests[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 505 "},
      {"DELETE / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
      {"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 413 "},
      {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 413 "},
      {"GET /" + std::string(20'000, 'x'), "HTTP/1.1 431 "},
  };
  for (const auto& [request, status] : requests) {
    CAPTURE(status);
    const Client client(worker);
    client.send(request);
    const std::string answer = client.hear_all();
    CHECK(answer.starts_with(status));
    CHECK(answer.find("\r\nConnection: close\r\n") != std::string::npos);
  }
}

TEST_CASE("a client that does not read its answers is not waited for, and loses none") {
  const Worker worker;
  const Client client(worker);
  const std::string answer = worker.answer("keep-alive");
  constexpr int many = 2000;
  std::string requests;
  for (int i = 0; i < many; ++i) requests += "GET / HTTP/1.1\r\n\r\n";
  client.send(requests);
  const Client other(worker);
  other.get();
  CHECK(other.hears(answer));
  int heard = 0;
  while (heard < many && client.hears(answer)) ++heard;
  CHECK(heard == many);
}

TEST_CASE("a server out of descriptors serves whom it has, and the others as soon as it can") {
  const Worker worker(16);
  std::vector<Client> clients;
  for (int i = 0; i < 24; ++i) clients.emplace_back(worker).get();
  const std::string answer = worker.answer("keep-alive");
  while (!clients.empty()) {
    CHECK(clients.front().hears(answer));
    clients.erase(clients.begin());  // and so makes room
  }
}

TEST_CASE("an idle server leaves at once") {
  Worker worker;
  worker.drain();
  CHECK(worker.exit_status() == 0);
}

TEST_CASE("a request under way when the server drains gets its answer, and is told it is the last") {
  Worker worker;
  const Client client(worker);
  client.get();
  CHECK(client.hears(worker.answer("keep-alive")));
  client.get("/slow?ms=100");
  const Client later(worker);  // seen after the slow one, so that one is under way
  later.get();
  CHECK(later.hears(worker.answer("keep-alive")));
  worker.drain();
  CHECK(client.hear_all() == worker.answer("close"));
}

TEST_CASE("a kept-alive connection may send one more request while the server drains") {
  Worker worker;
  const Client client(worker);
  client.get();
  CHECK(client.hears(worker.answer("keep-alive")));
  worker.drain();
  client.get();
  CHECK(client.hear_all() == worker.answer("close"));
  CHECK(worker.exit_status() == 0);
}

TEST_CASE("a kept-alive connection without a request is ended in order, and the server leaves") {
  Worker worker;
  const std::string answer = worker.answer("keep-alive");
  const Client client(worker);
  client.get();
  CHECK(client.hears(answer));
  worker.drain();
  CHECK(client.hear_all().empty());
}

TEST_CASE("connections that wait in the queue when the server drains are served") {
  Worker worker;
  worker.signal(SIGSTOP);
  const Client first(worker);
  const Client second(worker);
  first.get();
  second.get("/slow?ms=20");
  worker.signal(SIGTERM);
  worker.signal(SIGCONT);
  CHECK(first.hear_all() == worker.answer("close"));
  CHECK(second.hear_all() == worker.answer("close"));
  CHECK(worker.exit_status() == 0);
}

TEST_CASE("requests pipelined before the server drains are all answered") {
  Worker worker;
  const Client client(worker);
  client.get("/slow?ms=100");
  client.get();
  client.get();
  const Client later(worker);
  later.get();
  CHECK(later.hears(worker.answer("keep-alive")));
  worker.drain();
  const std::string expected =
      worker.answer("keep-alive") + worker.answer("keep-alive") + worker.answer("close");
  CHECK(client.hear_all() == expected);
}

TEST_CASE("started by hand the server says where it listens, and answers there") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(writer.get(), 2);
    ::execl(EXAMPLE_HTTP_SERVER, "example-http-server", "127.0.0.1:0", nullptr);
    ::_exit(127);
  }
  writer.close();
  char line[128];
  const ssize_t n = ::read(reader.get(), line, sizeof line);
  const std::string said(line, n < 0 ? 0 : static_cast<std::size_t>(n));
  CHECK(said.starts_with("listening on 127.0.0.1:"));
  CHECK(said.ends_with("\n"));
  ::kill(pid, SIGINT);
  int how = 0;
  ::waitpid(pid, &how, 0);
  CHECK(how == 0);
}
