// The workers' stderr, or stdout, on its way through graced: whole lines, in the order in which they came, the
// last of each worker remembered. A line that stays unfinished for a while goes out all the same (a question, a
// progress bar), and whatever comes next of others begins a line of its own. When graced's own stderr, or
// stdout, is full, the workers' pipes fill up and the workers wait; graced does not.
//
// A stream that has a teller (--output prefix) comes out line by line in another form; what is not finished in
// time is a line, and its rest another one. Who writes it waits for a second at most: then lines are dropped,
// and counted, until all has been read that went out before.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/line_buffer.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/self/output.h"
#include "workers/line_teller.h"

namespace graced {

class OutputWatch;

// One worker's pipe.
struct WatchedOutput {
  WatchedOutput(OutputWatch& w, std::unique_ptr<LineTeller> t)
      : watch(w), teller(std::move(t)), lines(teller ? LinePieces::longest : LineBuffer::longest_line) {}

  OutputWatch& watch;
  std::unique_ptr<LineTeller> teller;  // null: its bytes go out as they came
  Fd pipe;
  Source source;
  LineBuffer lines;
  Source patience;          // fires when an unfinished line may have waited for long enough
  int waited = 0;           // how often that was
  unsigned long heard = 0;  // how many pieces of all had been passed on by then
  bool ended = false;       // no writer is left
  bool released = false;    // the worker is gone; kept only for what others may still write

  // What another image of this process takes over, see linux/upgrade; the pipe is borrowed until it does. A
  // stream is known by the number of its pipe.
  struct Kept {
    int pipe = -1;
    std::optional<LineTeller::Kept> teller{};
    LineBuffer lines{};
    int waited = 0;
    bool ended = false;
    bool released = false;
  };
  Kept kept() const;
};

class OutputWatch {
 public:
  // `fd`, `journal`: see Output.
  OutputWatch(Loop& loop, int fd, bool journal);
  OutputWatch(const OutputWatch&) = delete;
  OutputWatch& operator=(const OutputWatch&) = delete;
  ~OutputWatch();  // passes on what is left, with a second's patience for a reader that is slow

  // How many lines were dropped while nobody read; told when somebody does again.
  struct Dropped {
    unsigned long own = 0;  // of graced's log
    unsigned long workers = 0;
  };

  // What another image takes over; nothing of graced's own log may be collected, see Later.
  struct Kept {
    Output::Kept output{};
    std::list<WatchedOutput::Kept> streams{};
    int in_line = -1;  // the pipe of that stream; -1: none
    unsigned long passed_on = 0;
    bool drops = false;
    Dropped dropped{};
  };
  Kept kept() const;

  // Of what was kept: nothing is read before attend(). log: where lines are kept that were kept there before.
  // Throws std::runtime_error: the state has a line of a stream that it does not have.
  OutputWatch(Loop& loop, int fd, Kept kept, OutputLog& log);

  // By the number of its pipe; null: there is none.
  WatchedOutput* find(int pipe);

  // Takes the reading end. The result is valid until it is released.
  WatchedOutput* watch(Fd pipe, std::unique_ptr<LineTeller> teller = nullptr);

  // From now on what comes is passed on, and what waited for a slow reader; before, it waits in the pipes.
  // Once.
  void attend();
  bool attending() const { return attending_; }

  // What is in the pipe goes out now.
  void drain(WatchedOutput* stream);

  // Its worker is gone. Whatever others who still have the pipe say is passed on until they are
  // gone too.
  void release(WatchedOutput* stream);

  // A line of graced's own log. Dropped, and counted, when far too much is waiting already.
  void log_line(std::string_view line);

  // The same as an entry for the journal. False: there is none.
  bool log_entry(std::string entry);

  void when_dropped(std::function<void(const Dropped&)> tell) { tell_dropped_ = std::move(tell); }

  // The descriptor becomes another one by what this calls; what was said before goes to the one it was, as
  // far as that takes it.
  void change_output(const std::function<void()>& change);

  // While one of these lives, graced's own lines are collected and go out together at its end:
  // first what must be done is done, then it is told.
  class Later {
   public:
    explicit Later(OutputWatch& watch) : watch_(watch) { ++watch_.later_; }
    ~Later() {
      if (--watch_.later_ == 0) watch_.tell_collected();
    }
    Later(const Later&) = delete;
    Later& operator=(const Later&) = delete;

   private:
    OutputWatch& watch_;
  };

 private:
  void listen_to(WatchedOutput& stream);
  void pump(WatchedOutput& stream);
  void pass_on(WatchedOutput& from, std::string_view bytes);
  void tell(WatchedOutput& from, const std::vector<LinePiece>& pieces);
  void finish(WatchedOutput& stream);
  void begin_line();
  void time_rest(WatchedOutput& stream, bool another_line);
  void wait_for_rest(WatchedOutput& stream);
  void rest_is_late(WatchedOutput& stream);
  bool rest_was_there(WatchedOutput& stream);
  void tell_collected();
  void pause_if_full();
  void wait_until_writable();
  void go_on_writing(int fd);
  void start_dropping();
  void go_on_reading(WatchedOutput& stream);
  bool pauses() const { return writable_ && !drops_; }  // streams with tellers
  void resume();

  Loop& loop_;
  int fd_;
  bool attending_ = false;
  Output output_;
  Source writable_;     // while output_ is full
  Source too_slow_;     // while it is, and streams with tellers wait
  bool drops_ = false;  // what they say
  Dropped dropped_;
  std::function<void(const Dropped&)> tell_dropped_;
  int later_ = 0;
  std::string collected_;
  std::list<WatchedOutput> streams_;
  const WatchedOutput* in_line_ = nullptr;  // whose unfinished line went out last
  unsigned long passed_on_ = 0;             // pieces
};

}  // namespace graced
