// SIGPIPE must be blocked or ignored.
#include "linux/self/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "linux/self/journal.h"

namespace graced {

Output::Output(int fd, bool journal) : fd_(fd), journal_(journal) {
  look_at_file();
  if (kind_ == Kind::patient)
    own_ =
        Fd(::open(fmt::format("/proc/self/fd/{}", fd_).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

Output::Output(int fd, Kept kept)
    : fd_(fd),
      journal_(kept.to_journal),
      own_(kept.own),
      waiting_(std::move(kept.waiting)),
      entries_to_(journal_socket, Fd(kept.journal)),
      entries_(std::move(kept.entries)),
      broken_(kept.broken) {
  look_at_file();
  for (const std::string& entry : entries_) waiting_in_entries_ += entry.size();
}

void Output::look_at_file() {
  struct stat file {};
  if (::fstat(fd_, &file) != 0) {
    broken_ = true;
  } else if (S_ISSOCK(file.st_mode)) {
    kind_ = Kind::socket;
  } else if (S_ISFIFO(file.st_mode) || ::isatty(fd_)) {
    kind_ = Kind::patient;
  }
}

void Output::write(std::string_view bytes) {
  if (broken_) return;
  if (waiting_.empty()) {
    while (!bytes.empty()) {
      const std::size_t n = try_write(bytes);
      if (n == 0) break;
      bytes.remove_prefix(n);
    }
  }
  if (!broken_) waiting_.append(bytes);
}

bool Output::write_entry(std::string entry) {
  if (entries_.empty()) {
    switch (entries_to_.send(entry)) {
      case JournalSocket::Sent::yes:
        return true;
      case JournalSocket::Sent::never:
        return false;
      case JournalSocket::Sent::later:
        break;
    }
  }
  waiting_in_entries_ += entry.size();
  entries_.push_back(std::move(entry));
  return true;
}

void Output::flush() {
  while (!entries_.empty() && entries_to_.send(entries_.front()) != JournalSocket::Sent::later) {
    waiting_in_entries_ -= entries_.front().size();
    entries_.pop_front();
  }
  const std::string due = std::exchange(waiting_, {});
  write(due);
}

bool Output::wait(Duration limit) const {
  pollfd p{fd(), POLLOUT, 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  return ::poll(&p, 1, static_cast<int>(milliseconds)) == 1;
}

ssize_t Output::send(std::string_view bytes) {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::size_t Output::try_write(std::string_view bytes) {
  ssize_t n = -1;
  switch (kind_) {
    case Kind::socket:
      n = send(bytes);
      if (n < 0 && journal_ && errno != EAGAIN && errno != EINTR) {
        if (!connect_to_journal(fd_)) return bytes.size();  // it may be there for the next line
        n = send(bytes);
      }
      break;
    case Kind::patient:
      if (own_) {
        n = ::write(own_.get(), bytes.data(), bytes.size());
      } else {
        // Ours only through somebody else's description: a pipe that polls writable takes
        // PIPE_BUF bytes without waiting.
        pollfd p{fd_, POLLOUT, 0};
        if (::poll(&p, 1, 0) != 1) return 0;
        n = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
      }
      break;
    case Kind::never_waits:
      n = ::write(fd_, bytes.data(), bytes.size());
      break;
  }
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN || errno == EINTR) return 0;
  // A full disk may have room again: only this piece is lost.
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) return bytes.size();
  broken_ = true;
  waiting_.clear();
  return bytes.size();
}

}  // namespace graced
