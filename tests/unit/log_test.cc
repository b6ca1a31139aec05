// Log lines as text, JSON and journal fields.
#include "daemon/log.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/printable.h"
#include "linux/self/journal.h"

using namespace graced;

namespace {

struct Written {
  std::string text;
  Log log;

  explicit Written(LogFormat format, LogLevel level = LogLevel::info)
      : log(format, level, "app", [this](std::string_view line) { text += line; }) {
    log.set_clock([] { return std::chrono::system_clock::time_point(1795415580123ms); });
  }
};

}  // namespace

TEST_CASE("a text line has the time, the level, whom it is about and the sentence") {
  Written w(LogFormat::text);
  w.log.info({.generation = 7, .worker_pid = 123}, "is ready after {}", "85ms");
  CHECK(w.text == "2026-11-23T06:33:00.123Z info  generation 7, PID 123: is ready after 85ms\n");
}

TEST_CASE("fields that are not given are not shown") {
  Written w(LogFormat::text);
  w.log.error("bind {}: {}", 8080, "Address already in use");
  w.log.warning({.generation = 2, .worker = 3}, "slow");
  CHECK(w.text ==
        "2026-11-23T06:33:00.123Z error bind 8080: Address already in use\n"
        "2026-11-23T06:33:00.123Z warning generation 2, worker 3: slow\n");
}

TEST_CASE("what is below the level is not said") {
  Written w(LogFormat::text, LogLevel::warning);
  w.log.info("a");
  w.log.debug("b");
  CHECK(w.text.empty());
  w.log.set_level(LogLevel::debug);
  w.log.debug("c");
  CHECK(w.text == "2026-11-23T06:33:00.123Z debug c\n");
}

TEST_CASE("several lines are one entry: the others are indented, whatever their ends") {
  Written w(LogFormat::text);
  w.log.info("it said:\n{}", "one\r\n2026-01-01T00:00:00.000Z error forged\n\n");
  CHECK(w.text == "2026-11-23T06:33:00.123Z info  it said:\n  one\n  2026-01-01T00:00:00.000Z error forged\n");
}

TEST_CASE("braces in what a worker says are only braces") {
  Written w(LogFormat::text);
  w.log.info("status: {}", "{} {0} }{");
  CHECK(w.text == "2026-11-23T06:33:00.123Z info  status: {} {0} }{\n");
}

TEST_CASE("nothing a worker says commands the terminal") {
  Written w(LogFormat::text);
  w.log.info("status: {}", std::string("a\x1b[2Jb\rc\x07\0d\x7f", 12));
  CHECK(w.text == "2026-11-23T06:33:00.123Z info  status: a\\x1b[2Jb\\rc\\x07\\x00d\\x7f\n");
}

TEST_CASE("a JSON line is valid JSON of ASCII alone, whatever is in it") {
  Written w(LogFormat::json);
  w.log.info({.generation = 7, .worker = 0, .worker_pid = 123}, "said \"{}\"",
             "\x1b\n\xff"
             "é\xc2\x9b");
  REQUIRE(w.text.ends_with("}\n"));
  for (const char c : w.text.substr(0, w.text.size() - 1)) CHECK((c >= 0x20 && c < 0x7f));
  const auto line = nlohmann::json::parse(w.text);
  CHECK(line["time"] == "2026-11-23T06:33:00.123Z");
  CHECK(line["level"] == "info");
  CHECK(line["name"] == "app");
  CHECK(line["generation"] == 7);
  CHECK(line["worker"] == 0);
  CHECK(line["worker_pid"] == 123);
  CHECK(line["message"] == "said \"\x1b\n\xef\xbf\xbdé\xc2\x9b\"");

  w.text.clear();
  w.log.info("short");
  CHECK(!nlohmann::json::parse(w.text).contains("generation"));
}

TEST_CASE("a journal entry has fields to filter by and a message that stands alone") {
  Written w(LogFormat::journal);
  std::vector<std::string> fields;
  w.log.divert_journal([&](const std::vector<std::string>& entry) {
    fields = entry;
    return true;
  });
  w.log.warning({.generation = 7, .worker = 1, .worker_pid = 123}, "two\nlines \x1b");
  CHECK(fields == std::vector<std::string>{"MESSAGE=generation 7, worker 1, PID 123: two\nlines \\x1b",
                                           "PRIORITY=4", "SYSLOG_IDENTIFIER=graced", "GRACED_NAME=app",
                                           "GRACED_GENERATION=7", "GRACED_WORKER=1", "GRACED_WORKER_PID=123"});
  CHECK(w.text.empty());
}

TEST_CASE("what the journal does not take is written as text") {
  Written w(LogFormat::journal);
  w.log.divert_journal([](const std::vector<std::string>&) { return false; });
  w.log.info("still heard");
  CHECK(w.text == "2026-11-23T06:33:00.123Z info  still heard\n");
}

TEST_CASE("stderr is the journal only if JOURNAL_STREAM means this very file") {
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  struct stat file {};
  REQUIRE(::fstat(pipe_ends[1], &file) == 0);
  const auto device = static_cast<std::uint64_t>(file.st_dev);
  const auto inode = static_cast<std::uint64_t>(file.st_ino);
  CHECK(is_journal(pipe_ends[1], fmt::format("{}:{}", device, inode)));
  CHECK(!is_journal(pipe_ends[1], fmt::format("{}:{}", device, inode + 1)));
  CHECK(!is_journal(pipe_ends[1], fmt::format("{}:{}x", device, inode)));
  CHECK(!is_journal(pipe_ends[1], ""));
  CHECK(!is_journal(pipe_ends[1], "12"));
  CHECK(!is_journal(-1, fmt::format("{}:{}", device, inode)));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST_CASE("without a journal the format is text, unless another was asked for") {
  CHECK(effective_log_format(LogFormat::automatic, "") == LogFormat::text);
  CHECK(effective_log_format(LogFormat::automatic, "8:15") == LogFormat::text);
  CHECK(effective_log_format(LogFormat::json, "") == LogFormat::json);
  CHECK(!journal_exists("/nowhere/at/all"));
  if (journal_exists()) {
    CHECK(effective_log_format(LogFormat::journal, "") == LogFormat::journal);
  } else {
    CHECK_THROWS_WITH_AS(effective_log_format(LogFormat::journal, ""),
                         "--log-format journal: there is no systemd journal here; use text or json",
                         UsageError);
  }
}

TEST_CASE("printable text keeps what people write and spells out the rest") {
  CHECK(printable("grüße, 你好 🎉\tok") == "grüße, 你好 🎉\tok");
  CHECK(printable("a\nb\r") == "a\\nb\\r");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u009b31m");  // CSI in one character
  CHECK(printable("\xe2\x80\xae"
                  "gpj") == "\\u202egpj");                         // turns the rest around
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                    // overlong '/'
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");                    // cut short
}
