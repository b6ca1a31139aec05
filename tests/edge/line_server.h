// A worker for tests, in a process of its own: takes connections and answers them as it is told.
#pragma once

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "linux/base/fd.h"
#include "wait_until.h"

namespace graced {

// Of what a client sends, it answers "ask", and "work" once finish() is called. It closes a connection
// when its client has left.
class LineServer {
 public:
  explicit LineServer(std::vector<int> listening, int connect_out_to = -1) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    control_ = Fd(ends[0]);
    const Fd theirs(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      Inside(ends[1], std::move(listening), connect_out_to).run();
    }
    REQUIRE(pid_ > 0);
  }
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;
  ~LineServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  void finish() const { tell('f'); }          // answers every "work"
  void stop_accepting() const { tell('s'); }  // but keeps the sockets
  void accept_again() const { tell('a'); }
  void hand_to_child() const { tell('h'); }  // a child has the connections then, and this process none
  void connect_to_itself() const { tell('o'); }
  void leave_all() const { tell('l'); }         // closes what it has accepted
  void keep_ended() const { tell('k'); }        // does not close a connection by itself from now on
  unsigned ended() const { return tell('e'); }  // that it has kept

 private:
  struct Inside {
    Inside(int control, std::vector<int> listening, int out)
        : control_(control), listening_(std::move(listening)), out_(out) {}

    [[noreturn]] void run() {
      for (;;) {
        std::vector<pollfd> polled{{control_, POLLIN, 0}};
        for (const int l : listening_) polled.push_back({accepts_ ? l : -1, POLLIN, 0});
        for (const Client& c : clients_) polled.push_back({c.fd, POLLIN, 0});
        if (::poll(polled.data(), polled.size(), -1) < 0) ::_exit(1);
        for (std::size_t i = 1 + listening_.size(); i < polled.size(); ++i) {
          if (polled[i].revents != 0) hear(clients_[i - 1 - listening_.size()]);
        }
        std::erase_if(clients_, [](const Client& c) { return c.fd < 0; });
        for (std::size_t i = 1; i <= listening_.size(); ++i) {
          if (polled[i].revents == 0) continue;
          if (const int fd = ::accept4(polled[i].fd, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0)
            clients_.push_back({fd, false});
        }
        if (polled[0].revents != 0) obey();
      }
    }

    struct Client {
      int fd;
      bool works;
    };

    void hear(Client& c) {
      char text[64];
      const ssize_t length = ::read(c.fd, text, sizeof text);
      if (length <= 0 && keeps_ended_) {
        kept_.push_back(c.fd);
      } else if (length <= 0) {
        ::close(c.fd);
      }
      if (length <= 0) {
        c.fd = -1;
        return;
      }
      // "ask" and "work" may come together: the answer of one and the next request at once.
      const std::string_view said(text, static_cast<std::size_t>(length));
      if (said.find("ask") != said.npos) answer(c);
      if (said.find("work") != said.npos) c.works = true;
    }

    void answer(Client& c) {
      if (::send(c.fd, "answer", 6, MSG_NOSIGNAL) != 6) ::_exit(1);
      c.works = false;
    }

    void obey() {
      char what = 0;
      if (::read(control_, &what, 1) != 1) ::_exit(0);
      if (what == 's') accepts_ = false;
      if (what == 'a') accepts_ = true;
      if (what == 'f') {
        for (Client& c : clients_) {
          if (c.works) answer(c);
        }
      }
      if (what == 'h' && ::fork() == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        int ends[2];  // nobody ever tells it anything
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) ::_exit(1);
        ::close(control_);
        control_ = ends[0];
        listening_.clear();
        return;
      }
      if (what == 'h' || what == 'l') {
        for (const Client& c : clients_) ::close(c.fd);
        for (const int fd : kept_) ::close(fd);
        clients_.clear();
        kept_.clear();
      }
      if (what == 'k') keeps_ended_ = true;
      if (what == 'o') connect_out();
      const char ended = static_cast<char>(kept_.size());
      if (::send(control_, &ended, 1, MSG_NOSIGNAL) != 1) ::_exit(1);
    }

    // Accepted in its turn, like any other.
    void connect_out() {
      sockaddr_storage where{};
      socklen_t length = sizeof where;
      auto* const name = reinterpret_cast<sockaddr*>(&where);
      if (::getsockname(listening_.front(), name, &length) < 0) ::_exit(1);
      const int fd = ::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd < 0 || ::connect(fd, name, length) < 0) ::_exit(1);
    }

    int control_;
    std::vector<int> listening_;
    int out_;  // held open only
    std::vector<Client> clients_;
    std::vector<int> kept_;
    bool accepts_ = true;
    bool keeps_ended_ = false;
  };

  // Returns when it is done.
  unsigned tell(char what) const {
    unsigned char ended = 0;
    REQUIRE(::send(control_.get(), &what, 1, MSG_NOSIGNAL) == 1);
    REQUIRE(::read(control_.get(), &ended, 1) == 1);
    return ended;
  }

  Fd control_;
  pid_t pid_ = -1;
};

inline void say(const Fd& client, std::string_view text) {
  REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

// And comes back when the worker's kernel has it. TCP only.
inline void say_for_sure(const Fd& client, std::string_view text) {
  say(client, text);
  REQUIRE(wait_until([&] {
    int on_the_way = -1;
    REQUIRE(::ioctl(client.get(), SIOCOUTQ, &on_the_way) == 0);
    return on_the_way == 0;
  }));
}

// "" at an orderly end, "reset" after ECONNRESET; waits for it.
inline std::string hear(const Fd& client) {
  char text[64];
  const ssize_t length = ::read(client.get(), text, sizeof text);
  return length < 0 ? "reset" : std::string(text, static_cast<std::size_t>(length));
}

}  // namespace graced
