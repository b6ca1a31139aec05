// The three forms of a log line.
#include "daemon/log.h"

#include <unistd.h>

#include <chrono>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/printable.h"
#include "core/speaker.h"
#include "core/timestamp.h"
#include "linux/self/journal.h"
#include "linux/self/standard_descriptors.h"

namespace graced {
namespace {

using WallTime = std::chrono::system_clock::time_point;

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return {};
}

// As syslog(3) counts.
int priority(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return 3;
    case LogLevel::warning:
      return 4;
    case LogLevel::info:
      return 6;
    case LogLevel::debug:
      return 7;
  }
  return 6;
}

std::string subject(const LogFields& about) {
  return graced::subject(about.generation, about.worker, about.worker_pid);
}

// Safe to show; every line after the first begins with `continuation`.
std::string show(std::string_view message, std::string_view continuation) {
  while (message.ends_with('\n') || message.ends_with('\r')) message.remove_suffix(1);
  std::string shown;
  while (true) {
    const auto end = message.find('\n');
    auto line = message.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    shown += printable(line);
    if (end == std::string_view::npos) return shown;
    shown += '\n';
    shown += continuation;
    message.remove_prefix(end + 1);
  }
}

std::string text_line(WallTime now, LogLevel level, const LogFields& about, std::string_view message) {
  return fmt::format("{} {:<5} {}{}\n", to_timestamp(now), word(level), subject(about), show(message, "  "));
}

std::string json_line(WallTime now, LogLevel level, const std::string& name, const LogFields& about,
                      const std::string& message) {
  nlohmann::ordered_json line;
  line["time"] = to_timestamp(now);
  line["level"] = word(level);
  line["name"] = name;
  if (about.generation) line["generation"] = *about.generation;
  if (about.worker) line["worker"] = *about.worker;
  if (about.worker_pid) line["worker_pid"] = *about.worker_pid;
  line["message"] = message;
  // All ASCII, so that no control character of any kind gets through; bytes that are no UTF-8 are replaced.
  return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::vector<std::string> journal_fields(LogLevel level, const std::string& name, const LogFields& about,
                                        std::string_view message) {
  // The message says whom it is about too: that is all `journalctl` shows by itself.
  std::vector<std::string> fields{
      fmt::format("MESSAGE={}{}", subject(about), show(message, "")),
      fmt::format("PRIORITY={}", priority(level)),
      "SYSLOG_IDENTIFIER=graced",
      fmt::format("GRACED_NAME={}", name),
  };
  if (about.generation) fields.push_back(fmt::format("GRACED_GENERATION={}", *about.generation));
  if (about.worker) fields.push_back(fmt::format("GRACED_WORKER={}", *about.worker));
  if (about.worker_pid) fields.push_back(fmt::format("GRACED_WORKER_PID={}", *about.worker_pid));
  return fields;
}

}  // namespace

Log::Log(LogFormat format, LogLevel level, std::string name, Sink sink)
    : format_(format),
      level_(level),
      name_(std::move(name)),
      sink_(std::move(sink)),
      journal_(send_to_journal) {}

void Log::write(LogLevel level, const LogFields& about, fmt::string_view message, fmt::format_args args) {
  if (level > level_) return;
  const std::string text = fmt::vformat(message, args);
  switch (format_) {
    case LogFormat::json:
      sink_(json_line(clock_(), level, name_, about, text));
      return;
    case LogFormat::journal:
      if (journal_(journal_fields(level, name_, about, text))) return;
      break;
    case LogFormat::automatic:
    case LogFormat::text:
      break;
  }
  sink_(text_line(clock_(), level, about, text));
}

void Log::write_to_stderr(std::string_view line) {
  write_to_standard_error(line);
}

LogFormat effective_log_format(LogFormat asked, std::string_view journal_stream) {
  switch (asked) {
    case LogFormat::automatic:
      // In a container stderr may be the host's journal, which cannot be reached from inside.
      return is_journal(STDERR_FILENO, journal_stream) && journal_exists() ? LogFormat::journal
                                                                           : LogFormat::text;
    case LogFormat::journal:
      if (!journal_exists()) {
        throw UsageError("--log-format journal: there is no systemd journal here; use text or json");
      }
      return asked;
    case LogFormat::text:
    case LogFormat::json:
      return asked;
  }
  return asked;
}

}  // namespace graced
