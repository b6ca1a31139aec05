#include "workers/output_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

#include "linux/base/pipe_text.h"

namespace graced {

namespace {
constexpr std::size_t most_waiting_log = 256 * 1024;  // bytes
constexpr Duration longest_unfinished = 200ms;
constexpr int most_waits = 10;
}  // namespace

OutputWatch::OutputWatch(Loop& loop, int fd, bool journal) : loop_(loop), fd_(fd), output_(fd, journal) {}

OutputWatch::~OutputWatch() {
  for (WatchedOutput& s : streams_) {
    drain(&s);
    pass_on(&s, s.lines.finish());
  }
  while (output_.full() && output_.wait(1s)) output_.flush();
}

WatchedOutput* OutputWatch::watch(Fd pipe) {
  WatchedOutput& stream = streams_.emplace_back(*this);
  stream.pipe = std::move(pipe);
  if (attending_) listen_to(stream);
  return &stream;
}

void OutputWatch::attend() {
  attending_ = true;
  for (WatchedOutput& s : streams_) listen_to(s);
}

void OutputWatch::listen_to(WatchedOutput& stream) {
  stream.source = loop_.on_fd(stream.pipe.get(), EPOLLIN, Priority::output, [this, &stream] { pump(stream); });
  if (output_.full()) stream.source.enable(false);
}

void OutputWatch::pump(WatchedOutput& stream) {
  const std::string bytes = read_available(stream.pipe.get(), stream.ended);
  pass_on(&stream, stream.lines.feed(bytes));
  if (stream.ended) {
    pass_on(&stream, stream.lines.finish());
    stream.source.enable(false);
  }
  if (stream.lines.waits() && !stream.patience) wait_for_rest(stream);
  pause_if_full();
  if (stream.ended && stream.released) {
    streams_.remove_if([&](const WatchedOutput& s) { return &s == &stream; });
  }
}

void OutputWatch::wait_for_rest(WatchedOutput& stream) {
  stream.heard = passed_on_;
  stream.patience = loop_.timer([this, &stream] { rest_is_late(stream); });
  stream.patience.fire_at(monotonic_now() + longest_unfinished);
}

// While others speak it waits a little longer: their lines would cut it in two.
void OutputWatch::rest_is_late(WatchedOutput& stream) {
  if (stream.lines.waits() && stream.heard != passed_on_ && ++stream.waited < most_waits)
    return wait_for_rest(stream);
  stream.patience = Source();
  stream.waited = 0;
  pass_on(&stream, stream.lines.take_unfinished());
  pause_if_full();
}

// No more than the pipe can hold, so this ends even if somebody goes on writing.
void OutputWatch::drain(WatchedOutput* stream) {
  constexpr int most_reads = 32;
  for (int i = 0; i < most_reads && !stream->ended; ++i) {
    const std::string bytes = read_available(stream->pipe.get(), stream->ended);
    if (bytes.empty()) break;
    pass_on(stream, stream->lines.feed(bytes));
  }
  if (stream->ended) pass_on(stream, stream->lines.finish());
  pause_if_full();
}

void OutputWatch::release(WatchedOutput* stream) {
  stream->released = true;
  if (!stream->ended) return;
  pass_on(stream, stream->lines.finish());
  pause_if_full();
  streams_.remove_if([&](const WatchedOutput& s) { return &s == stream; });
}

// In the order in which things were said: what graced has collected came before.
void OutputWatch::pass_on(const WatchedOutput* from, std::string_view bytes) {
  if (bytes.empty()) return;
  tell_collected();
  if (in_line_ != from) begin_line();
  output_.write(bytes);
  ++passed_on_;
  in_line_ = bytes.ends_with('\n') ? nullptr : from;
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
    ++dropped_lines_;
    return;
  }
  collected_ += line;
  if (later_ == 0) tell_collected();
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
  writable_ = loop_.on_fd(output_.fd(), EPOLLOUT, Priority::output, [this] {
    output_.flush();
    if (!output_.full()) resume();
  });
}

void OutputWatch::resume() {
  writable_ = Source();
  for (WatchedOutput& s : streams_) {
    if (!s.ended) s.source.enable(true);
  }
  if (const auto n = std::exchange(dropped_lines_, 0); n > 0) {
    log_line(fmt::format("graced: {} lines of its log were dropped while nobody read them\n", n));
  }
}

}  // namespace graced
