// proc(5), as far as we need it.
#include "linux/proc/proc_text.h"

#include <algorithm>
#include <cstdio>

#include "core/number.h"

namespace graced {

namespace {

// 0 if there is none.
template <class Number>
Number number_after_blanks(std::string_view text, int base) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return leading_number<Number>(text, base).value_or(0);
}

}  // namespace

// "PID (comm) state ppid pgrp session tty_nr tpgid flags …", 14 to 17 are times, threads are field 20, the
// start is 22, resident pages 24; comm may hold anything.
std::optional<ProcessStat> parse_stat(const std::string& text) {
  const std::size_t paren = text.rfind(')');
  if (paren == std::string::npos) return std::nullopt;
  ProcessStat s{};
  unsigned long long started = 0;
  unsigned long long user = 0;
  unsigned long long system = 0;
  long long user_before = 0;
  long long system_before = 0;
  long long resident = 0;
  const int found = std::sscanf(
      text.c_str() + paren + 1,
      " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %ld %*d %llu %*u %lld", &s.state,
      &s.parent, &s.flags, &user, &system, &user_before, &system_before, &s.threads, &started, &resident);
  constexpr int up_to_start = 9;
  if (found < up_to_start) return std::nullopt;
  s.started = started;
  s.ran = user + system;
  s.ran_before = static_cast<std::uint64_t>(user_before) + static_cast<std::uint64_t>(system_before);
  s.resident = resident > 0 ? static_cast<std::uint64_t>(resident) : 0;
  return s;
}

std::optional<std::uint64_t> parse_voluntary_switches(std::string_view status) {
  const auto value_of = [&](std::string_view key) -> std::optional<std::uint64_t> {
    const std::size_t at = status.find(key);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view value = status.substr(at + key.size());
    return leading_number<std::uint64_t>(value.substr(0, value.find('\n')));
  };
  if (value_of("\nThreads:\t") != 1) return std::nullopt;
  return value_of("\nvoluntary_ctxt_switches:\t");
}

std::optional<std::uint64_t> parse_signal_set(std::string_view status, std::string_view line) {
  const std::string key = "\n" + std::string(line) + ":\t";
  const std::size_t at = status.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view value = status.substr(at + key.size());
  return leading_number<std::uint64_t>(value, 16);
}

std::vector<pid_t> parse_children(std::string_view text) {
  std::vector<pid_t> found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (const auto child = leading_number<pid_t>(text.substr(at, end - at))) found.push_back(*child);
    at = end + 1;
  }
  return found;
}

std::optional<WorkerMark> parse_mark(std::string_view environment) {
  std::optional<std::uint64_t> generation;
  std::optional<unsigned> slot;
  std::string instance;
  for (std::string_view rest = environment; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view e = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    constexpr std::string_view generation_key = "GRACED_GENERATION=";
    constexpr std::string_view slot_key = "GRACED_WORKER=";
    if (e.starts_with(generation_key))
      generation = leading_number<std::uint64_t>(e.substr(generation_key.size()));
    constexpr std::string_view instance_key = "GRACED_NAME=";
    if (e.starts_with(slot_key)) slot = leading_number<unsigned>(e.substr(slot_key.size()));
    if (e.starts_with(instance_key)) instance = e.substr(instance_key.size());
  }
  if (!generation || !slot) return std::nullopt;
  return WorkerMark{*generation, *slot, std::move(instance)};
}

pid_t parse_pidfd_info(std::string_view text) {
  const std::size_t at = text.find("Pid:\t");
  if (at == std::string_view::npos) return -1;
  return leading_number<pid_t>(text.substr(at + 5)).value_or(-1);
}

// "tfd: N events: X data: X  pos:N ino:X sdev:X".
std::vector<EpollTarget> parse_epoll_info(std::string_view text) {
  std::vector<EpollTarget> found;
  for (std::size_t at = text.find("tfd:"); at != std::string_view::npos; at = text.find("tfd:", at + 1)) {
    const std::size_t events = text.find("events:", at);
    const std::size_t ino = text.find("ino:", at);
    if (events == std::string_view::npos || ino == std::string_view::npos) break;
    found.push_back({number_after_blanks<int>(text.substr(at + 4), 10),
                     number_after_blanks<ino_t>(text.substr(ino + 4), 16),
                     number_after_blanks<unsigned>(text.substr(events + 7), 16)});
  }
  return found;
}

// "number arg0 … arg5 sp pc" of a blocked thread, "running" else.
std::optional<BlockedCall> parse_syscall(const std::string& text) {
  BlockedCall call{};
  if (std::sscanf(text.c_str(), "%ld %lx %lx %lx", &call.number, &call.arguments[0], &call.arguments[1],
                  &call.arguments[2]) != 4) {
    return std::nullopt;
  }
  return call;
}

}  // namespace graced
