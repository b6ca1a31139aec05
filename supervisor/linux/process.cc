// Reading /proc, for the few processes that are ours.
#include "linux/process.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "linux/proc_file.h"

namespace graced {

namespace {

struct Stat {
  char state;
  pid_t parent;
  unsigned flags;  // PF_*
  long threads;
};

// proc(5): "PID (comm) state ppid pgrp session tty_nr tpgid flags …", threads are field 20; comm may
// hold anything.
std::optional<Stat> stat_of(const std::string& directory) {
  const auto text = contents_of(directory + "/stat");
  if (!text) return std::nullopt;
  const std::size_t paren = text->rfind(')');
  if (paren == std::string::npos) return std::nullopt;
  Stat s{};
  if (std::sscanf(text->c_str() + paren + 1,
                  " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld", &s.state, &s.parent,
                  &s.flags, &s.threads) != 4) {
    return std::nullopt;
  }
  return s;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number n{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return n;
}

}  // namespace

std::optional<pid_t> parent_of(pid_t pid) {
  const auto s = stat_of(fmt::format("/proc/{}", pid));
  return s ? std::optional(s->parent) : std::nullopt;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  const std::string tasks = fmt::format("/proc/{}/task", pid);
  for (const std::string& task : entries_of(tasks)) {
    const auto children = contents_of(tasks + "/" + task + "/children");
    if (!children) continue;
    for (std::size_t at = 0; at < children->size();) {
      const std::size_t end = std::min(children->find(' ', at), children->size());
      if (const auto child = number<pid_t>(std::string_view(*children).substr(at, end - at)))
        found.push_back(*child);
      at = end + 1;
    }
  }
  return found;
}

std::vector<pid_t> descendants_of(pid_t pid) {
  std::vector<pid_t> found = children_of(pid);
  for (std::size_t i = 0, direct = found.size(); i < direct; ++i) {
    const std::vector<pid_t> below = descendants_of(found[i]);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

namespace {

constexpr unsigned pf_exiting = 0x4;

bool ends(const std::optional<Stat>& s) {
  return !s || (s->flags & pf_exiting) != 0 || s->state == 'Z' || s->state == 'X';
}

}  // namespace

Rest rest_of(pid_t pid) {
  const auto first = stat_of(fmt::format("/proc/{}", pid));
  if (!first) return Rest::exiting;
  if (first->threads == 1) {
    if (ends(first)) return Rest::exiting;
    return first->state == 'S' ? Rest::resting : Rest::busy;
  }

  const std::string tasks = fmt::format("/proc/{}/task", pid);
  bool busy = false;
  bool alive = false;
  for (const std::string& thread : entries_of(tasks)) {
    const auto s = stat_of(tasks + "/" + thread);
    // One thread that ends, even the first, is not yet the end of the process.
    alive |= !ends(s);
    busy |= ends(s) || s->state != 'S';
  }
  if (!alive) return Rest::exiting;
  return busy ? Rest::busy : Rest::resting;
}

Duration time_run(pid_t pid) {
  const auto text = contents_of(fmt::format("/proc/{}/schedstat", pid));
  return std::chrono::nanoseconds(text ? number<std::int64_t>(*text).value_or(0) : 0);
}

std::optional<WorkerMark> mark_of(pid_t pid) {
  const auto environment = contents_of(fmt::format("/proc/{}/environ", pid));
  if (!environment) return std::nullopt;
  std::optional<std::uint64_t> generation;
  std::optional<unsigned> slot;
  for (std::string_view rest = *environment; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    const std::string_view e = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    constexpr std::string_view generation_key = "GRACED_GENERATION=";
    constexpr std::string_view slot_key = "GRACED_WORKER=";
    if (e.starts_with(generation_key)) generation = number<std::uint64_t>(e.substr(generation_key.size()));
    if (e.starts_with(slot_key)) slot = number<unsigned>(e.substr(slot_key.size()));
  }
  if (!generation || !slot) return std::nullopt;
  return WorkerMark{*generation, *slot};
}

pid_t pid_of(int pidfd) {
  const auto info = contents_of(fmt::format("/proc/self/fdinfo/{}", pidfd));
  if (!info) return -1;
  const std::size_t at = info->find("Pid:\t");
  if (at == std::string::npos) return -1;
  return number<pid_t>(std::string_view(*info).substr(at + 5)).value_or(-1);
}

std::string name_of(pid_t pid) {
  auto name = contents_of(fmt::format("/proc/{}/comm", pid));
  if (!name) return "?";
  while (name->ends_with('\n')) name->pop_back();
  return *name;
}

}  // namespace graced
