// Is every way a request can go wrong counted as what it is? A server that misbehaves on purpose,
// and the real graced-load against it.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/sys_error.h"

namespace {

using graced::Fd;
using nlohmann::json;

constexpr int patience_ms = 20'000;

// Reads one request. False: the client hung up.
bool read_request(int fd) {
  std::string request;
  char buffer[4096];
  while (!request.ends_with("\r\n\r\n")) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, patience_ms) != 1) return false;
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    request.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

void say(int fd, std::string_view text, int flags = 0) {
  (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL | flags);
}

void reset(Fd connection) {
  const linger now{1, 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::string answer(std::string_view body, std::string_view headers = "") {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), headers, body);
}

// Does the same to every connection, one after the other, until it is destroyed.
class Server {
 public:
  using Treatment = std::function<void(Fd connection)>;

  explicit Server(Treatment treatment) : Server(AF_INET, 64, std::move(treatment)) {}
  Server(int family, int backlog, Treatment treatment)
      : listener_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    socklen_t size = sizeof(sockaddr_in);
    if (family == AF_INET) {
      reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
      size = sizeof(sa_family_t);  // the kernel chooses an abstract name
    }
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) < 0)
      throw graced::sys_error("bind");
    if (::listen(listener_.get(), backlog) < 0) throw graced::sys_error("listen");
    size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    if (family == AF_INET) {
      target_ = fmt::format("127.0.0.1:{}", ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port));
    } else {
      const auto& name = reinterpret_cast<sockaddr_un&>(address).sun_path;
      target_ = "unix:@" + std::string(name + 1, size - offsetof(sockaddr_un, sun_path) - 1);
    }
    thread_ = std::thread([this, treatment = std::move(treatment)] {
      for (;;) {
        Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return;
        treatment(std::move(connection));
      }
    });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& target() const { return target_; }

 private:
  Fd listener_;
  std::string target_;
  std::thread thread_;
};

// A running graced-load.
class Load {
 public:
  explicit Load(std::vector<std::string> args) {
    args.insert(args.begin(), GRACED_LOAD);
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) throw graced::sys_error("pipe");
    out_.reset(ends[0]);
    const Fd in(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
    errno = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (errno != 0) throw graced::sys_error("start {}", argv[0]);
  }
  ~Load() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void stop() { ::kill(pid_, SIGTERM); }

  // The next line of its output, empty at the end.
  std::string line() {
    char buffer[4096];
    for (;;) {
      if (const auto end = text_.find('\n'); end != text_.npos) {
        std::string found = text_.substr(0, end);
        text_.erase(0, end + 1);
        return found;
      }
      const ssize_t n = ::read(out_.get(), buffer, sizeof buffer);
      if (n <= 0) return {};
      text_.append(buffer, static_cast<std::size_t>(n));
    }
  }

  int status() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  Fd out_;
  std::string text_;
};

struct Result {
  json report;
  int status;
};

Result measure(const std::string& target, std::vector<std::string> args) {
  args.push_back(target);
  Load load(args);
  const json report = json::parse(load.line());
  CHECK(report["requests"] ==
        report["answered"].get<int>() + report["failed"].get<int>() + report["soft"].get<int>());
  int kinds = 0;
  for (const auto& [kind, n] : report["failures"].items()) kinds += n.get<int>();
  CHECK(kinds == report["failed"].get<int>() + report["soft"].get<int>());
  return {report, load.status()};
}

// Twenty requests by one client, all of which end as that kind of failure.
void every_request_fails_as(const std::string& kind, Server::Treatment treatment,
                            std::vector<std::string> more = {}) {
  Server server(std::move(treatment));
  more.insert(more.end(), {"--count", "20", "--clients", "1"});
  const auto [report, status] = measure(server.target(), more);
  CAPTURE(report.dump());
  CHECK(report["failures"][kind] == 20);
  CHECK(report["failed"] == 20);
  CHECK(status == 1);
}

void keep_answering(const Fd& connection, const std::string& text) {
  while (read_request(connection.get())) say(connection.get(), text);
}

}  // namespace

TEST_CASE("answers are counted, with the process and the generation they came from") {
  Server server([](Fd connection) {
    read_request(connection.get());
    say(connection.get(), answer("pid 42 generation 3\n"));
  });
  const auto [report, status] = measure(server.target(), {"--count", "50", "--clients", "3"});
  CHECK(report["answered"] == 50);
  CHECK(report["connections"] == 50);
  CHECK(report["failed"] == 0);
  CHECK(report["ended_by"] == "count");
  REQUIRE(report["pids"].size() == 1);
  CHECK(report["pids"][0]["pid"] == 42);
  CHECK(report["pids"][0]["generation"] == 3);
  CHECK(report["pids"][0]["answers"] == 50);
  CHECK(status == 0);
}

TEST_CASE("a port that nobody listens on is refused") {
  const Fd bound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(bound.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(bound.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const auto [report, status] =
      measure(fmt::format("127.0.0.1:{}", ntohs(address.sin_port)), {"--count", "20"});
  CHECK(report["failures"]["refused"] == 20);
  CHECK(report["failed"] == 20);
  CHECK(status == 1);
}

TEST_CASE("a new connection reset before an answer is a reset") {
  every_request_fails_as("reset", [](Fd connection) {
    read_request(connection.get());
    reset(std::move(connection));
  });
}

TEST_CASE("a new connection closed before an answer is an eof") {
  every_request_fails_as("eof", [](Fd connection) { read_request(connection.get()); });
}

TEST_CASE("an answer cut short is partial, be it closed or reset") {
  every_request_fails_as("partial", [](Fd connection) {
    read_request(connection.get());
    say(connection.get(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  every_request_fails_as("partial", [](Fd connection) {
    read_request(connection.get());
    say(connection.get(), "HTTP/1.1 200 OK\r\nCont");
    // The half answer must have arrived: a reset takes back what is still to be sent.
    int unread = 1;
    while (unread > 0 && ::ioctl(connection.get(), TIOCOUTQ, &unread) == 0) std::this_thread::yield();
    reset(std::move(connection));
  });
}

TEST_CASE("no answer in time is a timeout") {
  std::vector<Fd> kept;
  every_request_fails_as("timeout", [&](Fd connection) { kept.push_back(std::move(connection)); },
                         {"--timeout", "20ms"});
}

TEST_CASE("an error status and what is not HTTP are http failures") {
  every_request_fails_as("http", [](Fd connection) {
    read_request(connection.get());
    say(connection.get(), "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  });
  every_request_fails_as("http", [](Fd connection) {
    read_request(connection.get());
    say(connection.get(), "220 mail.example.org ESMTP\r\n\r\n");
  });
  every_request_fails_as("http", [](Fd connection) {
    read_request(connection.get());
    say(connection.get(), answer("pid 1\n") + "and more than it announced");
  });
}

TEST_CASE("a wrong body is a failure of its own") {
  const auto other = [](Fd connection) { keep_answering(connection, answer("It works!\n")); };
  every_request_fails_as("body", other, {"--expect", "pid "});
}

TEST_CASE("closing a connection that has answered before is soft, resetting it is not") {
  const auto two_requests = [](const Fd& connection) {
    if (!read_request(connection.get())) return false;
    say(connection.get(), answer("pid 1\n"));
    return read_request(connection.get());
  };
  const std::vector<std::string> args{"--keep-alive", "--count", "20", "--clients", "1"};
  {
    Server server([&](Fd connection) { two_requests(connection); });
    const auto [report, status] = measure(server.target(), args);
    CHECK(report["answered"] == 10);
    CHECK(report["failures"]["reused_eof"] == 10);
    CHECK(report["soft"] == 10);
    CHECK(report["failed"] == 0);
    CHECK(status == 0);
  }
  {
    Server server([&](Fd connection) {
      if (two_requests(connection)) reset(std::move(connection));
    });
    const auto [report, status] = measure(server.target(), args);
    CHECK(report["answered"] == 10);
    CHECK(report["failures"]["reused_reset"] == 10);
    CHECK(report["failed"] == 10);
    CHECK(status == 1);
  }
}

TEST_CASE("a connection closed while nothing was asked is no failure") {
  Server server([](Fd connection) {
    read_request(connection.get());
    say(connection.get(), answer("pid 1\n"), MSG_MORE);
    ::shutdown(connection.get(), SHUT_WR);  // the end travels with the answer
  });
  const auto [report, status] = measure(server.target(), {"--keep-alive", "--count", "20", "--clients", "1"});
  CHECK(report["answered"] == 20);
  CHECK(report["connections"] == 20);
  CHECK(status == 0);
}

TEST_CASE("keep-alive asks again on the same connection, unless told to close") {
  Server server([](Fd connection) { keep_answering(connection, answer("pid 1\n")); });
  const auto kept = measure(server.target(), {"--keep-alive", "--count", "20", "--clients", "1"}).report;
  CHECK(kept["connections"] == 1);

  Server closing([](Fd connection) {
    read_request(connection.get());
    say(connection.get(), answer("pid 1\n", "Connection: close\r\n"));
  });
  const auto closed = measure(closing.target(), {"--keep-alive", "--count", "20", "--clients", "1"}).report;
  CHECK(closed["answered"] == 20);
  CHECK(closed["connections"] == 20);
}

TEST_CASE("answers of every shape are understood, byte by byte") {
  const std::vector<std::string> shapes{
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npid \r\n3;x=y\r\n7 g\r\n0\r\nX: y\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:6\r\n\r\npid 7 ",
      "HTTP/1.0 200 OK\r\n\r\npid 7, and the end is the end",
  };
  for (const std::string& shape : shapes) {
    CAPTURE(shape);
    Server server([&](Fd connection) {
      read_request(connection.get());
      for (const char& c : shape) say(connection.get(), {&c, 1});
    });
    const auto [report, status] =
        measure(server.target(), {"--count", "5", "--clients", "1", "--expect", "pid 7"});
    CHECK(report["answered"] == 5);
    CHECK(report["pids"][0]["pid"] == 7);
  }
}

TEST_CASE("a unix socket with a full queue is waited for") {
  Server server(AF_UNIX, 0, [](Fd connection) {
    read_request(connection.get());
    say(connection.get(), answer("pid 1\n"));
  });
  const auto [report, status] = measure(server.target(), {"--count", "200", "--clients", "20"});
  CHECK(report["answered"] == 200);
  CHECK(status == 0);
}

TEST_CASE("with a rate, a stall is charged to every request it kept from being asked") {
  bool first = true;
  Server server([&](Fd connection) {
    read_request(connection.get());
    if (std::exchange(first, false)) ::poll(nullptr, 0, 200);
    say(connection.get(), answer("pid 1\n"));
  });
  const auto [report, status] = measure(server.target(), {"--rate", "100", "--count", "20", "--clients", "1"});
  CHECK(report["answered"] == 20);
  CHECK(report["latency_ms"]["max"] >= 200);
  CHECK(report["latency_ms"]["p50"] >= 80);  // the tenth was due 100 ms before it could be asked
}

TEST_CASE("SIGTERM ends it once everything outstanding is answered") {
  Server server([](Fd connection) { keep_answering(connection, answer("pid 1 generation 1\n")); });
  Load load({"--keep-alive", "--follow", "--clients", "1", "--time", "60", server.target()});
  const json news = json::parse(load.line());
  CHECK(news["new_pid"] == 1);
  load.stop();
  const json report = json::parse(load.line());
  CHECK(report["ended_by"] == "signal");
  CHECK(report["failed"] == 0);
  CHECK(report["requests"] == report["answered"]);
  CHECK(load.status() == 0);
}

TEST_CASE("what it ends with unasked is counted, not forgotten") {
  std::vector<Fd> kept;
  Server server([&](Fd connection) { kept.push_back(std::move(connection)); });
  const auto [report, status] =
      measure(server.target(), {"--rate", "1000", "--clients", "1", "--count", "30", "--timeout", "100ms"});
  CHECK(report["unasked"] > 0);
  CHECK(report["requests"] == 30 - report["unasked"].get<int>());
  CHECK(report["failures"]["timeout"] == report["requests"]);
  CHECK(status == 1);
}

TEST_CASE("bad input is one line and exit status 2") {
  CHECK(Load({}).status() == 2);
  CHECK(Load({"--rate", "fast", "127.0.0.1:1"}).status() == 2);
  CHECK(Load({"--time", "5 parsecs", "127.0.0.1:1"}).status() == 2);
  CHECK(Load({"--bogus", "127.0.0.1:1"}).status() == 2);
  CHECK(Load({"nowhere"}).status() == 2);
}
