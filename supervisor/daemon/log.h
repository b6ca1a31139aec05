// What graced says about itself: one sentence a call, with the generation and the PID it is about.
// Wall time is read here and nowhere else.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options/options.h"

namespace graced {

// Whom a line is about. In text they come first: "generation 7, worker 2, PID 123: is ready".
struct LogFields {
  std::optional<std::uint64_t> generation = std::nullopt;
  std::optional<unsigned> worker = std::nullopt;  // its slot
  std::optional<int> worker_pid = std::nullopt;
};

class Log {
 public:
  // Where lines go, each with its newline; and where journal entries go, fields as "NAME=value",
  // false if they could not be delivered (the line then goes to the sink, as text).
  using Sink = std::function<void(std::string_view line)>;
  using Journal = std::function<bool(const std::vector<std::string>& fields)>;
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  // name: the instance's. LogFormat::automatic is text; see effective_log_format. The default sink
  // writes to stderr and may block.
  Log(LogFormat format, LogLevel level, std::string name, Sink sink = write_to_stderr);

  void divert_journal(Journal journal) { journal_ = std::move(journal); }
  void set_clock(Clock clock) { clock_ = std::move(clock); }

  LogLevel level() const { return level_; }
  void set_level(LogLevel level) { level_ = level; }

  template <class... Args>
  void error(fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::error, {}, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void error(const LogFields& about, fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::error, about, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::warning, {}, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warning(const LogFields& about, fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::warning, about, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::info, {}, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(const LogFields& about, fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::info, about, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void debug(fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::debug, {}, message, fmt::make_format_args(args...));
  }
  template <class... Args>
  void debug(const LogFields& about, fmt::format_string<Args...> message, Args&&... args) {
    write(LogLevel::debug, about, message, fmt::make_format_args(args...));
  }

  static void write_to_stderr(std::string_view line);

 private:
  void write(LogLevel level, const LogFields& about, fmt::string_view message, fmt::format_args args);

  LogFormat format_;
  LogLevel level_;
  std::string name_;
  Sink sink_;
  Journal journal_;
  Clock clock_ = std::chrono::system_clock::now;
};

// What `automatic` means here: journal when stderr is the journal (journal_stream is the value of
// JOURNAL_STREAM, empty if unset), else text. Throws UsageError when a journal was asked for by name
// and there is none.
LogFormat effective_log_format(LogFormat asked, std::string_view journal_stream);

}  // namespace graced
