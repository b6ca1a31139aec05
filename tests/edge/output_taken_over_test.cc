// What workers write is told on once, in order and in whole lines, whichever image of graced reads it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "as_root.h"
#include "in_child.h"
#include "kept/worker_members.h"
#include "linux/base/pipe_text.h"
#include "linux/base/systemd.h"
#include "linux/base/unix_address.h"
#include "linux/self/journal_socket.h"
#include "linux/worker/output_pipe.h"
#include "never_destroyed.h"
#include "through_state.h"
#include "wait_until.h"

namespace graced {
namespace {

struct Image {
  Loop loop;
  OutputLog log{loop};
  std::optional<OutputWatch> watch;
  OutputWatch::Dropped dropped;
  int times_told = 0;

  void listen() {
    watch->when_dropped([this](const OutputWatch::Dropped& d) {
      dropped = d;
      ++times_told;
    });
    watch->attend();
  }
};

// graced's stderr, a pipe, and the image that writes to it; of the one before nothing is ever destroyed.
struct Told {
  Fd reader, writer;
  Image* image = &never_destroyed(new Image);

  Told() {
    ::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
    REQUIRE(::fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0);
    image->watch.emplace(image->loop, writer.get(), false);
    image->listen();
  }

  Fd worker(unsigned slot, std::optional<LineForm::Kind> kind) {
    OutputPipe pipe = make_output_pipe({});
    std::unique_ptr<LineTeller> teller;
    if (kind) {
      image->log.kept().begin(1);
      const Speaker by{.generation = 1, .worker = slot, .pid = 5};
      teller = std::make_unique<LineTeller>(LineForm(*kind, "shop", by), &image->log);
    }
    image->watch->watch(std::move(pipe.read_end), std::move(teller));
    return std::move(pipe.worker_end);
  }

  // meanwhile: what happens while there is no graced.
  void upgrade(const std::function<void()>& meanwhile = [] {}) {
    auto* next = &never_destroyed(new Image);
    next->log.kept() = through_state(image->log.kept());
    OutputWatch::Kept kept = through_state(image->watch->kept());
    meanwhile();
    next->watch.emplace(next->loop, writer.get(), std::move(kept), next->log);
    image = next;
    image->listen();
  }

  void turn() const { graced::sd_event_run(image->loop.event(), std::uint64_t{1000}); }

  std::string read() const {
    bool ended = false;
    return read_available(reader.get(), ended);
  }

  // What came until that was all of it.
  std::string heard_until(std::string_view end) const {
    std::string told;
    CHECK(wait_until([&] {
      turn();
      told += read();
      return told.ends_with(end);
    }));
    return told;
  }
};

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; at += what.size()) ++n;
  return n;
}

TEST_CASE("a line that was begun before an upgrade comes out whole, and what was written meanwhile after it") {
  Told t;
  const Fd plain = t.worker(1, std::nullopt);
  const Fd told = t.worker(2, LineForm::Kind::text);
  write_all(plain.get(), "one\nunfin");
  write_all(told.get(), "two\nunfin");
  std::string heard;
  REQUIRE(wait_until([&] {
    t.turn();
    heard += t.read();
    return count(heard, "\n") == 2;
  }));
  t.upgrade([&] {
    write_all(plain.get(), "ished\nthree\n");
    write_all(told.get(), "ished\nfour\n");
    CHECK(t.read().empty());
  });
  REQUIRE(wait_until([&] {
    t.turn();
    heard += t.read();
    return count(heard, "\n") == 6;
  }));
  for (const char* lines : {"unfinished\nthree\n", "generation 1, worker 2, PID 5: unfinished\n",
                            "generation 1, worker 2, PID 5: four\n"})
    CHECK_MESSAGE(heard.find(lines) != std::string::npos, heard);
  CHECK(count(heard, "unfin") == 2);
  const auto kept = t.image->log.kept().since(1, 10'000);
  REQUIRE(kept.size() == 3);
  CHECK(kept[1].said.text == "unfinished");
  CHECK(kept[2].number == 3);
}

TEST_CASE("a question that was begun before an upgrade is told after it, although nothing ends its line") {
  Told t;
  const Fd plain = t.worker(1, std::nullopt);
  write_all(plain.get(), "a\nGo on? ");
  CHECK(t.heard_until("a\n") == "a\n");
  t.upgrade();
  CHECK(t.heard_until("Go on? ") == "Go on? ");
}

TEST_CASE("whoever speaks after an upgrade begins a line where another one's was left unfinished before") {
  Told t;
  const Fd asks = t.worker(1, std::nullopt);
  const Fd other = t.worker(2, std::nullopt);
  write_all(asks.get(), "Go on? ");
  CHECK(t.heard_until("Go on? ") == "Go on? ");
  t.upgrade();
  write_all(other.get(), "x\n");
  CHECK(t.heard_until("x\n") == "\nx\n");
}

TEST_CASE("what a worker that has ended had written, and others who have its pipe still write, is told on") {
  Told t;
  Fd worker = t.worker(1, LineForm::Kind::text);
  Fd other(::dup(worker.get()));
  WatchedOutput* stream = t.image->watch->find(t.image->watch->kept().streams.front().pipe);
  REQUIRE(stream);
  write_all(worker.get(), "a");
  t.upgrade();
  stream = t.image->watch->find(stream->pipe.get());
  REQUIRE(stream);
  worker.reset();
  t.image->watch->drain(stream);
  t.image->watch->release(stream);
  t.upgrade();
  CHECK(t.image->watch->kept().streams.front().released);
  write_all(other.get(), "b\n");
  CHECK(t.heard_until("ab\n") == "generation 1, worker 1, PID 5: ab\n");
  other.reset();
  CHECK(wait_until([&] {
    t.turn();
    return t.image->watch->kept().streams.empty();
  }));
}

TEST_CASE("of one whose pipe is at its end nothing is awaited after an upgrade, and its last words are known") {
  Told t;
  Fd worker = t.worker(1, std::nullopt);
  write_all(worker.get(), "bye\n");
  worker.reset();
  CHECK(t.heard_until("bye\n") == "bye\n");
  REQUIRE(wait_until([&] {
    t.turn();
    return t.image->watch->kept().streams.front().ended;
  }));
  t.upgrade();
  const int pipe = t.image->watch->kept().streams.front().pipe;
  WatchedOutput* stream = t.image->watch->find(pipe);
  REQUIRE(stream);
  CHECK(stream->lines.last_lines() == std::vector<std::string>{"bye"});
  t.image->watch->release(stream);
  CHECK_FALSE(t.image->watch->find(pipe));
}

TEST_CASE("a reader that is slow gets all lines, with an upgrade among them") {
  for (const auto& kind : {std::optional<LineForm::Kind>(), std::optional(LineForm::Kind::text)}) {
    Told t;
    Fd end = t.worker(1, kind);
    const std::string line(999, 'x');
    constexpr int lines = 3'000;
    std::thread worker([&] {
      for (int i = 0; i < lines; ++i) write_all(end.get(), line + "\n");
      end.reset();
    });
    REQUIRE(wait_until([&] {
      t.turn();
      return !t.image->watch->kept().output.waiting.empty();
    }));
    t.upgrade();
    CHECK_FALSE(t.image->watch->kept().output.waiting.empty());
    std::size_t told = 0;
    std::size_t bytes = 0;
    REQUIRE(wait_until([&] {
      t.turn();
      const std::string text = t.read();
      told += count(text, "\n");
      bytes += text.size();
      return told == lines;
    }));
    worker.join();
    CHECK(bytes == lines * (1000 + (kind ? std::string_view("generation 1, worker 1, PID 5: ").size() : 0)));
    CHECK(t.image->times_told == 0);
  }
}

TEST_CASE("lines that were dropped before an upgrade are counted with those that are dropped after it") {
  Told t;
  Fd end = t.worker(1, LineForm::Kind::text);
  const std::string line(999, 'x');
  constexpr int lines = 8'000;
  const auto writes = [&] {
    for (int i = 0; i < lines; ++i) write_all(end.get(), line + "\n");
  };
  std::thread before(writes);
  REQUIRE(wait_until([&] {
    t.turn();
    return t.image->log.kept().next() == lines + 1;
  }));
  before.join();
  REQUIRE(t.image->watch->kept().drops);
  t.upgrade();
  std::thread after(writes);
  REQUIRE(wait_until([&] {
    t.turn();
    return t.image->log.kept().next() == 2 * lines + 1;
  }));
  after.join();
  CHECK(t.image->times_told == 0);
  std::size_t told = 0;
  REQUIRE(wait_until([&] {
    t.turn();
    told += count(t.read(), ": xxx");
    return t.image->times_told > 0;
  }));
  for (std::string text; !(text = t.read()).empty();) told += count(text, ": xxx");
  CHECK(told + t.image->dropped.workers == 2 * lines);
  CHECK(t.image->times_told == 1);
  write_all(end.get(), "again\n");
  CHECK(t.heard_until("again\n") == "generation 1, worker 1, PID 5: again\n");
}

TEST_CASE("that lines were dropped is told after an upgrade also where somebody has read meanwhile") {
  Told t;
  const Fd end = t.worker(1, LineForm::Kind::text);
  OutputWatch::Kept kept = t.image->watch->kept();
  kept.drops = true;
  kept.dropped = {.own = 2, .workers = 3};
  auto* next = &never_destroyed(new Image);
  next->watch.emplace(next->loop, t.writer.get(), through_state(kept), next->log);
  t.image = next;
  next->listen();
  CHECK(next->times_told == 1);
  CHECK(next->dropped.own == 2);
  CHECK(next->dropped.workers == 3);
  CHECK_FALSE(next->watch->kept().drops);
}

TEST_CASE("a state that has a line of an output that it does not have is refused") {
  Told t;
  OutputWatch::Kept kept = t.image->watch->kept();
  kept.in_line = 77;
  OutputLog log(t.image->loop);
  CHECK_THROWS_WITH(OutputWatch(t.image->loop, STDERR_FILENO, kept, log),
                    "the state has a line of an output that it does not have");
}

TEST_CASE("entries that wait for the journal reach it after an upgrade, in their order") {
  if (!as_root("to have a journal of one's own")) return;
  const std::string said = in_child([] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/run", "tmpfs", 0, nullptr) != 0)
      return std::string("no namespace");
    std::filesystem::create_directories("/run/systemd/journal");
    const Fd journal(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto address = unix_path_address(journal_socket);
    if (::bind(journal.get(), address->get(), address->length) != 0) return std::string("bind");
    auto& first = never_destroyed(new Output(STDERR_FILENO, false));
    int written = 0;
    while (!first.full()) first.write_entry("MESSAGE=" + std::to_string(++written) + "\n");
    first.write_entry("MESSAGE=" + std::to_string(++written) + "\n");
    const Output::Kept kept = through_state(first.kept());
    std::string text = kept.entries.size() == 2 && kept.journal >= 0 ? "two wait" : "others wait";
    Output next(STDERR_FILENO, kept);
    text +=
        next.full() && next.fd() == kept.journal && next.waiting() == first.waiting() ? ", full" : ", not full";
    int heard = 0;
    bool ordered = true;
    std::array<char, 256> bytes{};
    const auto read = [&] {
      for (ssize_t n = 0; (n = ::recv(journal.get(), bytes.data(), bytes.size(), 0)) > 0;)
        ordered = ordered && std::string(bytes.data(), static_cast<std::size_t>(n)) ==
                                 "MESSAGE=" + std::to_string(++heard) + "\n";
    };
    while (next.full()) {
      read();
      next.flush();
    }
    read();
    text += heard == written && ordered ? ", all came" : ", " + std::to_string(heard) + " came";
    return text;
  });
  if (said == "no namespace") {
    MESSAGE("skipped: no namespace of one's own for files");
    return;
  }
  CHECK(said == "two wait, full, all came");
}

}  // namespace
}  // namespace graced
