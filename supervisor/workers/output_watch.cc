#include "workers/output_watch.h"

#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>

#include "linux/base/pipe_text.h"

namespace graced {

namespace {
constexpr std::size_t most_waiting_log = 256 * 1024;  // bytes
constexpr Duration longest_unfinished = 200ms;
constexpr int most_waits = 10;
constexpr Duration longest_wait = 1s;  // of a stream with a teller, for whoever reads
}  // namespace

OutputWatch::OutputWatch(Loop& loop, int fd, bool journal) : loop_(loop), fd_(fd), output_(fd, journal) {}

WatchedOutput::Kept WatchedOutput::kept() const {
  return {pipe.get(), teller ? std::optional(teller->kept()) : std::nullopt, lines, waited, ended, released};
}

OutputWatch::Kept OutputWatch::kept() const {
  Kept kept{output_.kept(), {}, in_line_ ? in_line_->pipe.get() : -1, passed_on_, drops_, dropped_};
  for (const WatchedOutput& s : streams_) kept.streams.push_back(s.kept());
  return kept;
}

OutputWatch::OutputWatch(Loop& loop, int fd, Kept kept, OutputLog& log)
    : loop_(loop),
      fd_(fd),
      output_(fd, std::move(kept.output)),
      drops_(kept.drops),
      dropped_(kept.dropped),
      passed_on_(kept.passed_on) {
  for (WatchedOutput::Kept& k : kept.streams) {
    WatchedOutput& stream = streams_.emplace_back(
        *this, k.teller ? std::make_unique<LineTeller>(std::move(*k.teller), log) : nullptr);
    stream.pipe = Fd(k.pipe);
    stream.lines.take_over(std::move(k.lines));
    stream.waited = k.waited;
    stream.ended = k.ended;
    stream.released = k.released;
  }
  if (kept.in_line < 0) return;
  in_line_ = find(kept.in_line);
  if (!in_line_) throw std::runtime_error("the state has a line of an output that it does not have");
}

WatchedOutput* OutputWatch::find(int pipe) {
  const auto s = std::ranges::find_if(streams_, [&](const WatchedOutput& w) { return w.pipe.get() == pipe; });
  return s == streams_.end() ? nullptr : &*s;
}

OutputWatch::~OutputWatch() {
  for (WatchedOutput& s : streams_) {
    drain(&s);
    finish(s);
  }
  while (output_.full() && output_.wait(1s)) output_.flush();
}

WatchedOutput* OutputWatch::watch(Fd pipe, std::unique_ptr<LineTeller> teller) {
  WatchedOutput& stream = streams_.emplace_back(*this, std::move(teller));
  stream.pipe = std::move(pipe);
  if (attending_) listen_to(stream);
  return &stream;
}

void OutputWatch::attend() {
  attending_ = true;
  for (WatchedOutput& s : streams_) listen_to(s);
  if (output_.full()) return wait_until_writable();
  if (drops_ || dropped_.own > 0) resume();
}

void OutputWatch::listen_to(WatchedOutput& stream) {
  if (stream.ended) return;
  if (stream.lines.waits()) wait_for_rest(stream);
  stream.source = loop_.on_fd(stream.pipe.get(), EPOLLIN, Priority::in_turn, [this, &stream] { pump(stream); });
  if (!output_.full() || (drops_ && stream.teller)) return;
  stream.source.enable(false);
  wait_until_writable();
}

void OutputWatch::pump(WatchedOutput& stream) {
  const std::string bytes = read_available(stream.pipe.get(), stream.ended);
  pass_on(stream, stream.lines.feed(bytes));
  if (stream.ended) {
    finish(stream);
    stream.source.enable(false);
  }
  if (stream.teller) {
    time_rest(stream, bytes.find('\n') != std::string::npos);
  } else if (stream.lines.waits() && !stream.patience) {
    wait_for_rest(stream);
  }
  pause_if_full();
  if (stream.ended && stream.released) {
    streams_.remove_if([&](const WatchedOutput& s) { return &s == &stream; });
  }
}

// Each line has its own time.
void OutputWatch::time_rest(WatchedOutput& stream, bool another_line) {
  if (!stream.lines.waits()) {
    stream.patience = Source();
  } else if (!stream.patience || another_line) {
    wait_for_rest(stream);
  }
}

void OutputWatch::wait_for_rest(WatchedOutput& stream) {
  stream.heard = passed_on_;
  stream.patience = loop_.timer([this, &stream] { rest_is_late(stream); });
  stream.patience.fire_at(monotonic_now() + longest_unfinished);
}

// While others speak it waits a little longer: their lines would cut it in two.
void OutputWatch::rest_is_late(WatchedOutput& stream) {
  if (rest_was_there(stream)) return;
  if (!stream.teller && stream.lines.waits() && stream.heard != passed_on_ && ++stream.waited < most_waits)
    return wait_for_rest(stream);
  stream.patience = Source();
  stream.waited = 0;
  if (stream.teller && pauses()) return;  // the rest may be there
  pass_on(stream, stream.lines.take_unfinished());
  pause_if_full();
}

// Its time is over before its pipe is read again, where graced has had much to do. What ends is for pump().
bool OutputWatch::rest_was_there(WatchedOutput& stream) {
  if (stream.ended || (writable_ && !(drops_ && stream.teller))) return false;
  bool ended = false;
  const std::string bytes = read_available(stream.pipe.get(), ended);
  pass_on(stream, stream.lines.feed(bytes));
  if (bytes.find('\n') == std::string::npos) return false;
  stream.waited = 0;
  time_rest(stream, true);
  pause_if_full();
  return true;
}

// No more than the pipe can hold, so this ends even if somebody goes on writing.
void OutputWatch::drain(WatchedOutput* stream) {
  constexpr int most_reads = 32;
  for (int i = 0; i < most_reads && !stream->ended; ++i) {
    const std::string bytes = read_available(stream->pipe.get(), stream->ended);
    if (bytes.empty()) break;
    pass_on(*stream, stream->lines.feed(bytes));
  }
  if (stream->ended) finish(*stream);
  pause_if_full();
}

void OutputWatch::release(WatchedOutput* stream) {
  stream->released = true;
  if (!stream->ended) return;
  finish(*stream);
  pause_if_full();
  streams_.remove_if([&](const WatchedOutput& s) { return &s == stream; });
}

void OutputWatch::finish(WatchedOutput& stream) {
  pass_on(stream, stream.lines.finish());
  if (stream.teller) tell(stream, stream.teller->pieces.finish());
}

// In the order in which things were said: what graced has collected came before.
void OutputWatch::pass_on(WatchedOutput& from, std::string_view bytes) {
  if (bytes.empty()) return;
  if (from.teller) return tell(from, from.teller->pieces.cut(bytes));
  tell_collected();
  if (in_line_ != &from) begin_line();
  output_.write(bytes);
  ++passed_on_;
  in_line_ = bytes.ends_with('\n') ? nullptr : &from;
}

void OutputWatch::tell(WatchedOutput& from, const std::vector<LinePiece>& pieces) {
  if (pieces.empty()) return;
  const LineTeller& teller = *from.teller;
  const auto now = std::chrono::system_clock::now();
  if (teller.log) {
    for (const LinePiece& piece : pieces) teller.log->kept().add(now, teller.form.speaker(), piece);
    teller.log->came();
  }
  tell_collected();
  if (drops_) {
    dropped_.workers += pieces.size();
    return;
  }
  std::string lines;
  for (const LinePiece& piece : pieces) {
    if (teller.form.kind() != LineForm::Kind::journal || !output_.write_entry(teller.form.entry(piece)))
      lines += teller.form.line(piece, now);
  }
  ++passed_on_;
  if (lines.empty()) return;
  begin_line();
  output_.write(lines);
}

void OutputWatch::begin_line() {
  if (std::exchange(in_line_, nullptr)) output_.write("\n");
}

void OutputWatch::tell_collected() {
  if (collected_.empty()) return;
  begin_line();
  output_.write(std::exchange(collected_, {}));
  pause_if_full();
}

void OutputWatch::log_line(std::string_view line) {
  if (output_.waiting() + collected_.size() > most_waiting_log) {
    ++dropped_.own;
    return;
  }
  collected_ += line;
  if (later_ == 0) tell_collected();
}

bool OutputWatch::log_entry(std::string entry) {
  if (output_.waiting() > most_waiting_log) {
    ++dropped_.own;
    return true;
  }
  const bool taken = output_.write_entry(std::move(entry));
  pause_if_full();
  return taken;
}

void OutputWatch::change_output(const std::function<void()>& change) {
  tell_collected();
  change();
  if (writable_) resume();
  output_ = Output(fd_);
}

void OutputWatch::pause_if_full() {
  if (!output_.full() || writable_) return;
  for (WatchedOutput& s : streams_) s.source.enable(false);
  wait_until_writable();
}

void OutputWatch::wait_until_writable() {
  if (!writable_) {
    writable_ = loop_.on_fd(output_.fd(), EPOLLOUT, Priority::in_turn,
                            [this, fd = output_.fd()] { go_on_writing(fd); });
  }
  const bool tells = std::ranges::any_of(streams_, [](const WatchedOutput& s) { return s.teller != nullptr; });
  if (!tells || drops_ || too_slow_) return;
  too_slow_ = loop_.timer([this] { start_dropping(); });
  too_slow_.fire_at(monotonic_now() + longest_wait);
}

void OutputWatch::go_on_writing(int fd) {
  output_.flush();
  if (!output_.full()) return resume();
  if (output_.fd() == fd) return;
  writable_ = Source();
  wait_until_writable();
}

void OutputWatch::go_on_reading(WatchedOutput& stream) {
  if (stream.ended) return;
  stream.source.enable(true);
  if (stream.teller) time_rest(stream, false);
}

void OutputWatch::start_dropping() {
  drops_ = true;
  for (WatchedOutput& s : streams_) {
    if (s.teller) go_on_reading(s);
  }
}

void OutputWatch::resume() {
  writable_ = Source();
  too_slow_ = Source();
  drops_ = false;
  for (WatchedOutput& s : streams_) go_on_reading(s);
  const Dropped dropped = std::exchange(dropped_, {});
  if (tell_dropped_ && (dropped.own > 0 || dropped.workers > 0)) tell_dropped_(dropped);
}

}  // namespace graced
