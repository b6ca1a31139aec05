// graced's own stderr or stdout, written to without ever waiting for whoever reads it.
#pragma once

#include <sys/types.h>

#include <deque>
#include <string>
#include <string_view>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/self/journal_socket.h"

namespace graced {

class Output {
 public:
  // Borrows `fd`, 1 or 2. Where it can be reopened, the non-blocking mode is ours alone: status
  // flags of the inherited description are shared with whoever gave it to us.
  // `journal`: it is a connection to the systemd journal, see is_journal(). When the journal is stopped, it is
  // connected to the one that is started next; what is written before that is lost.
  explicit Output(int fd, bool journal = false);

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    bool to_journal = false;
    int own = -1;      // `fd`, reopened
    int journal = -1;  // where entries go to
    std::string waiting{};
    std::deque<std::string> entries{};
    bool broken = false;
  };
  Kept kept() const { return {journal_, own_.get(), entries_to_.fd(), waiting_, entries_, broken_}; }
  Output(int fd, Kept kept);

  // Takes all of it, in order; what cannot be written now waits. Once the reader is gone,
  // everything is dropped silently: there is nobody left to tell.
  void write(std::string_view bytes);

  // An entry for the journal, see journal_entry(), in order among its like. False: there is no journal.
  bool write_entry(std::string entry);

  // True while something waits: then stop feeding it, watch fd() for EPOLLOUT and call flush(), after which
  // fd() may be another one.
  bool full() const { return !waiting_.empty() || !entries_.empty(); }
  std::size_t waiting() const { return waiting_.size() + waiting_in_entries_; }  // bytes
  void flush();
  bool wait(Duration limit) const;  // until flush() can go on. False: it cannot by then
  int fd() const { return !entries_.empty() ? entries_to_.fd() : own_ ? own_.get() : fd_; }

 private:
  // How many bytes went out; 0: it would have had to wait.
  std::size_t try_write(std::string_view bytes);
  void look_at_file();  // what kind it is
  ssize_t send(std::string_view bytes);

  enum class Kind { socket, patient, never_waits };
  Kind kind_ = Kind::never_waits;
  int fd_;
  bool journal_;
  Fd own_;
  std::string waiting_;
  JournalSocket entries_to_;
  std::deque<std::string> entries_;
  std::size_t waiting_in_entries_ = 0;
  bool broken_ = false;
};

}  // namespace graced
