// What a supervisor gives to a worker, given by a test: sockets from descriptor 3 on, variables, and
// an ear for what the worker says.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "descriptor.h"

// Sets a variable, and puts the former value back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* former = ::getenv(name)) former_ = former, was_set_ = true;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (was_set_) {
      ::setenv(name_, former_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string former_;
  bool was_set_ = false;
};

struct Passed {
  std::vector<int> fds;  // become 3, 4, …
  std::string names;     // LISTEN_FDNAMES; empty: not set
};

// After fork: this process is the one the sockets are for.
inline void become_heir(const Passed& passed) {
  std::vector<int> high;
  for (const int fd : passed.fds) high.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
  int target = 3;
  for (const int fd : high) ::dup2(fd, target++);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", std::to_string(passed.fds.size()).c_str(), 1);
  if (!passed.names.empty()) ::setenv("LISTEN_FDNAMES", passed.names.c_str(), 1);
}

// What body() said in a process of its own, which has these sockets; or what it threw.
template <class Body>
std::string in_heir(const Passed& passed, const Body& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int report = ::fcntl(writer.get(), F_DUPFD_CLOEXEC, 200);
    std::string said;
    try {
      become_heir(passed);
      said = body();
    } catch (const std::exception& e) { said = e.what(); }
    ::_exit(::write(report, said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  writer.close();
  std::string heard;
  char part[1024];
  for (ssize_t n; (n = ::read(reader.get(), part, sizeof part)) > 0;)
    heard.append(part, static_cast<std::size_t>(n));
  int how = 0;
  ::waitpid(pid, &how, 0);
  return how == 0 ? heard : "died: " + heard;
}

// The supervisor's end of NOTIFY_SOCKET, by an abstract name that the kernel chose.
class NotifySocket {
 public:
  NotifySocket() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un any{};
    any.sun_family = AF_UNIX;
    socklen_t length = sizeof(sa_family_t);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&any), length) != 0) throw std::runtime_error("bind");
    length = sizeof any;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&any), &length);
    name_ = "@" + std::string(any.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
  }

  const std::string& name() const { return name_; }  // for NOTIFY_SOCKET
  void close() { fd_.close(); }

  // The next message, with the descriptor that came with it in `passed`.
  std::string hear(Descriptor* passed = nullptr) {
    if (!readable(fd_.get())) return "(silence)";
    char text[4096];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec words{text, sizeof text};
    msghdr message{};
    message.msg_iov = &words;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
      Descriptor came(*reinterpret_cast<const int*>(CMSG_DATA(header)));
      if (passed != nullptr) *passed = std::move(came);
    }
    return std::string(text, n < 0 ? 0 : static_cast<std::size_t>(n));
  }

 private:
  Descriptor fd_;
  std::string name_;
};
