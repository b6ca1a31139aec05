// Pipes of workers that are told on line by line, and readers that are slow.
#include "workers/output_watch.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstring>
#include <thread>
#include <tuple>

#include "linux/base/pipe_text.h"
#include "linux/base/systemd.h"
#include "linux/self/journal_socket.h"
#include "linux/worker/output_pipe.h"
#include "temp_directory.h"
#include "wait_until.h"

using namespace graced;

namespace {

// graced's stderr, a pipe, and what one worker writes to.
struct Told {
  Loop loop;
  OutputLog log{loop};
  Fd reader, writer;
  std::optional<OutputWatch> watch;
  Fd worker;
  WatchedOutput* stream = nullptr;
  OutputWatch::Dropped dropped;
  int times_told = 0;

  explicit Told(LineForm::Kind kind = LineForm::Kind::text) {
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
    REQUIRE(::fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0);
    watch.emplace(loop, writer.get(), false);
    watch->when_dropped([this](const OutputWatch::Dropped& d) {
      dropped = d;
      ++times_told;
    });
    watch->attend();
    std::tie(stream, worker) = another(kind, 1);
  }

  std::pair<WatchedOutput*, Fd> another(LineForm::Kind kind, unsigned slot) {
    OutputPipe pipe = make_output_pipe({});
    const Speaker by{.generation = 1, .worker = slot, .pid = 5};
    log.kept().begin(1);
    WatchedOutput* s =
        watch->watch(std::move(pipe.read_end), std::make_unique<LineTeller>(LineForm(kind, "shop", by), &log));
    return {s, std::move(pipe.worker_end)};
  }

  void turn() { graced::sd_event_run(loop.event(), std::uint64_t{1000}); }

  std::string read() const {
    bool ended = false;
    return read_available(reader.get(), ended);
  }
};

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; at += what.size()) ++n;
  return n;
}

}  // namespace

TEST_CASE("each line says who says it, and lines of two workers do not mix") {
  Told t;
  auto [other, end] = t.another(LineForm::Kind::text, 2);
  write_all(t.worker.get(), "one\nbeg");
  write_all(end.get(), "two\n");
  std::string told;
  REQUIRE(wait_until([&] {
    t.turn();
    told += t.read();
    return count(told, "\n") == 2;
  }));
  write_all(t.worker.get(), "un\n");
  REQUIRE(wait_until([&] {
    t.turn();
    told += t.read();
    return told.find("un\n") != std::string::npos;
  }));
  for (const char* line : {"generation 1, worker 1, PID 5: one\n", "generation 1, worker 2, PID 5: two\n"})
    CHECK(told.find(line) != std::string::npos);
}

TEST_CASE("a line that is not finished is told after a while, as one") {
  Told t;
  write_all(t.worker.get(), "loading ... ");
  std::string told;
  const auto heard = [&](const std::string& text) {
    return wait_until([&] {
      t.turn();
      told += t.read();
      return told == text;
    });
  };
  REQUIRE(heard("generation 1, worker 1, PID 5: loading ... \n"));
  write_all(t.worker.get(), "done\n");
  REQUIRE(heard("generation 1, worker 1, PID 5: loading ... \ngeneration 1, worker 1, PID 5: ...done\n"));
}

TEST_CASE("a line whose rest has come is one, also where nobody has read it in time") {
  Told t;
  write_all(t.worker.get(), "loading ... ");
  REQUIRE(wait_until([&] {
    t.turn();
    return t.stream->lines.waits();
  }));
  const Instant heard = monotonic_now();
  REQUIRE(wait_until([&] { return monotonic_now() - heard > 300ms; }));  // longer than it may wait
  write_all(t.worker.get(), "done\nmore ... ");
  std::string told;
  REQUIRE(wait_until([&] {
    t.turn();
    told += t.read();
    return count(told, "\n") == 2;
  }));
  REQUIRE(told ==
          "generation 1, worker 1, PID 5: loading ... done\ngeneration 1, worker 1, PID 5: more ... \n");
}

TEST_CASE("what was not finished at the end is told then") {
  Told t;
  write_all(t.worker.get(), "last words");
  t.worker.reset();
  std::string told;
  REQUIRE(wait_until([&] {
    t.turn();
    told += t.read();
    return told == "generation 1, worker 1, PID 5: last words\n";
  }));
}

TEST_CASE(
    "a worker waits for a reader that never reads for a second, and then its lines are dropped and counted") {
  Told t;
  const std::string line(999, 'x');
  constexpr int lines = 20'000;  // 20 MB, more than any pipe takes
  std::thread worker([&] {
    for (int i = 0; i < lines; ++i) write_all(t.worker.get(), line + "\n");
    t.worker.reset();
  });
  REQUIRE(wait_until([&] {
    t.turn();
    return t.stream->ended;
  }));
  worker.join();
  CHECK(t.times_told == 0);

  std::size_t told = 0;
  REQUIRE(wait_until([&] {
    t.turn();
    std::string text = t.read();
    told += count(text, ": xxx");
    return t.times_told > 0;
  }));
  for (std::string text; !(text = t.read()).empty();) told += count(text, ": xxx");
  CHECK(told > 0);
  CHECK(told + t.dropped.workers == lines);
  CHECK(t.dropped.own == 0);
  CHECK(t.times_told == 1);
  CHECK(t.log.kept().next() == lines + 1);  // they are kept all the same
}

TEST_CASE("a reader that is slow, and reads, gets all lines") {
  Told t;
  const std::string line(999, 'x');
  constexpr int lines = 3'000;
  std::thread worker([&] {
    for (int i = 0; i < lines; ++i) write_all(t.worker.get(), line + "\n");
    t.worker.reset();
  });
  std::size_t told = 0;
  REQUIRE(wait_until([&] {
    t.turn();
    const std::string text = t.read();
    told += count(text, "PID 5: ");
    return told == lines;
  }));
  worker.join();
  CHECK(t.times_told == 0);
}

TEST_CASE("of a line without end no more is held than a piece of it") {
  Told t(LineForm::Kind::json);
  const std::string part(50'000, '\x01');
  std::thread worker([&] {
    for (int i = 0; i < 100; ++i) write_all(t.worker.get(), part);
    t.worker.reset();
  });
  std::string told;
  REQUIRE(wait_until([&] {
    t.turn();
    told += t.read();
    return t.stream->ended && !t.stream->lines.waits();
  }));
  worker.join();
  REQUIRE(wait_until([&] {
    t.turn();
    told += t.read();
    return count(told, "\\u0001") == 100 * part.size();
  }));
  CHECK(count(told, "\"text\":\"") >= 100 * part.size() / LinePieces::longest);
}

TEST_CASE(
    "an entry reaches the journal, also one that was started since, and nobody waits for one that does not "
    "read") {
  TempDirectory temp;
  const std::string path = temp / "journal";
  const auto start = [&] {
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ::unlink(path.c_str());
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
  };
  const auto heard = [](const Fd& socket) {
    std::array<char, 256> bytes;
    const ssize_t n = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    return n < 0 ? std::string("nothing") : std::string(bytes.data(), static_cast<std::size_t>(n));
  };
  JournalSocket entries(path);
  CHECK(entries.send("MESSAGE=x\n") == JournalSocket::Sent::never);
  Fd journal = start();
  CHECK(entries.send("MESSAGE=a\n") == JournalSocket::Sent::yes);
  CHECK(heard(journal) == "MESSAGE=a\n");
  journal.reset();
  CHECK(entries.send("MESSAGE=b\n") == JournalSocket::Sent::never);
  journal = start();
  CHECK(entries.send("MESSAGE=c\n") == JournalSocket::Sent::yes);
  CHECK(heard(journal) == "MESSAGE=c\n");

  int sent = 0;
  while (entries.send("MESSAGE=d\n") == JournalSocket::Sent::yes) ++sent;
  CHECK(sent > 0);
  CHECK(entries.send("MESSAGE=e\n") == JournalSocket::Sent::later);
  CHECK(heard(journal) == "MESSAGE=d\n");
  CHECK(entries.send("MESSAGE=e\n") == JournalSocket::Sent::yes);
}
