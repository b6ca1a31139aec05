// The descriptors that a process has, as /proc/PID/fd shows them.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

// What a descriptor of another process is open for.
struct OpenFile {
  enum class Kind {
    socket,
    epoll,
    other,
    gone,    // there is no such descriptor, or no such process
    hidden,  // we may not look (CAP_SYS_PTRACE)
  };
  Kind kind;
  ino_t inode = 0;  // of a socket
};

OpenFile open_file(pid_t thread, int number);

// All descriptors of a process. A process whose first thread has ended shows none, while its other threads
// still have them.
class Descriptors {
 public:
  explicit Descriptors(pid_t thread);  // or process

  // Those of the first thread that has any.
  static Descriptors of_process(pid_t process);

  pid_t thread() const { return thread_; }
  int failed() const { return failed_; }  // 0, or the errno with which nothing could be read
  bool gone() const;                      // for there is no such thread
  bool hidden() const;                    // for want of a right

  const std::vector<int>& numbers();           // read once
  std::optional<unsigned long> count() const;  // without reading them, from Linux 6.2 on
  OpenFile at(int number) const;

 private:
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };

  pid_t thread_;
  std::unique_ptr<DIR, Close> directory_;
  int failed_ = 0;
  std::optional<std::vector<int>> numbers_;
};

// Leads to the descriptors of a thread, also where the first thread of its process has ended (Linux 6.9). None,
// with errno, if it is gone.
Fd open_pidfd_of_thread(pid_t thread);

}  // namespace graced
