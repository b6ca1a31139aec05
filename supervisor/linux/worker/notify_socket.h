// Where workers say READY=1: one datagram socket for all, see sd_notify(3). Who speaks is what the
// kernel says, never what the text says.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "core/time.h"
#include "linux/base/fd.h"

namespace graced {

struct Notification {
  pid_t sender = 0;  // 0: too long, or without credentials; to be ignored
  uid_t sender_user = 0;
  Fd sender_pidfd;  // where the kernel gives one (6.5): proves that `sender` was not reused
  std::string text;
};

class NotifySocket {
 public:
  // Bound before the first worker is started; everybody may send (mode 0666), strangers are told
  // by their PID. Throws std::system_error.
  explicit NotifySocket(std::string path);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    std::string path;
    int fd = -1;
  };
  Kept kept() const { return {path_, socket_.get()}; }
  explicit NotifySocket(Kept kept) : path_(std::move(kept.path)), socket_(kept.fd) {}

  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();  // removes the file

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

  // Until there is a message, or for so long. False: there is none.
  bool wait(Duration limit) const;

  // The next message, nullopt if there is none. Descriptors sent along are closed, which is also
  // the answer that BARRIER=1 waits for.
  std::optional<Notification> receive();

 private:
  std::string path_;
  Fd socket_;
};

}  // namespace graced
