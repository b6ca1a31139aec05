// `graced reload`, `abort`, `stop`, `hammer`, `status` and `list` against instances: what they say, where, and
// the exit status.
#include "client/client.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <list>
#include <utility>

#include "control_story.h"
#include "linux/base/unix_address.h"
#include "temp_directory.h"

using namespace graced;

namespace {

// A FILE* whose words can be read.
class Words {
 public:
  Words() : file_(::open_memstream(&text_, &size_)) { REQUIRE(file_ != nullptr); }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  ~Words() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

// A FILE* whose words can be waited for.
class Spoken {
 public:
  Spoken() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    heard_ = Fd{ends[0]};
    file_ = ::fdopen(ends[1], "w");
    REQUIRE(file_ != nullptr);
    std::setvbuf(file_, nullptr, _IONBF, 0);
  }
  Spoken(const Spoken&) = delete;
  Spoken& operator=(const Spoken&) = delete;
  ~Spoken() { std::fclose(file_); }
  std::FILE* file() { return file_; }
  std::string line() { return read_line(heard_.get()); }

 private:
  Fd heard_;
  std::FILE* file_ = nullptr;
};

struct Said {
  int status;
  std::string out;
  std::string err;
};

// A machine of its own, with its instances under one directory.
struct Machine {
  TempDirectory temp;
  ControlPlaces places{.xdg_runtime_dir = temp / "user", .euid = 0, .system_directory = temp / "graced"};

  std::string control(const std::string& name) const {
    return places.system_directory + "/" + name + "/control";
  }

  template <class Command>
  Said says(const Command& command) const {
    Words out;
    Words err;
    const int status = command(Terminal{places, out.file(), err.file(), false});
    return {status, out.text(), err.text()};
  }

  Said reload(const Target& which, std::optional<Duration> limit = infinity) const {
    return says([&](const Terminal& t) { return client_reload(which, limit, false, t); });
  }
  Said stop(const Target& which, std::optional<Duration> limit = infinity) const {
    return says([&](const Terminal& t) { return client_stop(which, limit, t); });
  }
  Said abort(const Target& which) const {
    return says([&](const Terminal& t) { return client_abort(which, t); });
  }
  Said hammer(const Target& which) const {
    return says([&](const Terminal& t) { return client_hammer(which, t); });
  }
  Said status(const Target& which, StatusView view = StatusView::text) const {
    return says([&](const Terminal& t) { return client_status({which}, view, t); });
  }
  Said status_of(const std::vector<Target>& those, StatusView view = StatusView::text) const {
    return says([&](const Terminal& t) { return client_status(those, view, t); });
  }
  Said reload_all(const ReloadAll& all = {}, std::optional<Duration> limit = infinity) const {
    return says([&](const Terminal& t) { return client_reload_all(all, limit, t); });
  }
  Said list(bool json = false) const {
    return says([&](const Terminal& t) { return client_list(json, t); });
  }
};

InstanceReport report_of(const std::string& name, std::uint64_t serving) {
  InstanceReport r;
  r.name = name;
  r.phase = "serving";
  r.serving = serving;
  r.command = "./" + name;
  return r;
}

bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

const Target the_only_one{};
Target named(const std::string& name) {
  return {name, std::nullopt};
}

}  // namespace

TEST_CASE("graced reload waits and says which generation serves now") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  auto said = std::async(std::launch::async, [&] { return machine.reload(the_only_one); });
  CHECK(shop.hears() == "reload 1");
  shop.does("answer 1 ok 7");
  const Said s = said.get();
  CHECK(s.status == 0);
  CHECK(s.out == "shop: generation 7 serves\n");
  CHECK(s.err == "");
}

TEST_CASE("a failed graced reload gives the reason, the last words, and who still serves") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  auto said = std::async(std::launch::async, [&] { return machine.reload(named("shop")); });
  CHECK(shop.hears() == "reload 1");
  shop.does("answer 1 failed generation 7 exited with status 1\\npanic: \x1b[2Jno config\\nbye");
  const Said s = said.get();
  CHECK(s.status == 1);
  CHECK(s.out == "");
  CHECK(s.err ==
        "graced: reload of 'shop' failed: generation 7 exited with status 1\n"
        "  | panic: \\x1b[2Jno config\n"
        "  | bye\n"
        "generation 6 still serves\n");
}

TEST_CASE("graced reload gives up after its --wait, and asks only with --no-wait") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  const Said late = machine.reload(the_only_one, 1ms);
  CHECK(late.status == 4);
  CHECK(late.err == "graced: gave up waiting for the reload of 'shop', which goes on\n");
  CHECK(shop.hears() == "reload 1");

  const Said asked = machine.reload(the_only_one, std::nullopt);
  CHECK(asked.status == 0);
  CHECK(asked.out == "shop: reload asked for\n");
  CHECK(shop.hears() == "reload 0");
}

TEST_CASE("graced stop is done when graced is gone") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop")};
  auto said = std::async(std::launch::async, [&] { return machine.stop(the_only_one); });
  CHECK(shop.hears() == "stop 1");
  shop.does("answer 1 ok 0");
  CHECK(shop.quit() == 0);
  CHECK(said.get().out == "shop: stopped\n");
  CHECK(machine.temp.empty());
}

// It takes one connection and is gone before the first word.
struct Ending {
  explicit Ending(const std::string& path) {
    const UnixAddress address = unix_path_address(path).value();
    listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.get(), address.get(), address.length) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    end = std::async(std::launch::async, [this] {
      const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      listener.reset();
    });
  }
  Fd listener;
  std::future<void> end;
};

TEST_CASE("graced stop of one that ends by itself meanwhile is done, and not a broken pipe") {
  const TempDirectory temp;
  const std::string control = temp / "control";
  const Ending instance(control);
  const Said said = Machine{}.says([&](const Terminal& t) {
    return client_stop({"shop", control}, infinity, t);
  });
  CHECK(said.status == 0);
  CHECK(said.out == "shop: stopped\n");
  CHECK(said.err == "");
}

TEST_CASE("graced reload of one that ends meanwhile says so") {
  const TempDirectory temp;
  const std::string control = temp / "control";
  const Ending instance(control);
  const Said said = Machine{}.says([&](const Terminal& t) {
    return client_reload({"shop", control}, infinity, false, t);
  });
  CHECK(said.status == 3);
  CHECK(said.err == "graced: 'shop' has just ended\n");
}

TEST_CASE("graced abort says what it ended, and that there was nothing") {
  Machine machine;
  InstanceReport report = report_of("shop", 6);
  SUBCASE("a reload") {
    report.candidate = 7;
    ControlStory shop{"shop", machine.control("shop"), report};
    const Said said = machine.abort(the_only_one);
    CHECK(shop.hears() == fmt::format("abort {} {}", ::getpid(), ::geteuid()));
    CHECK(said.status == 0);
    CHECK(said.out == "shop: generation 7 aborted, generation 6 serves\n");
  }
  SUBCASE("a reload, and the next one has begun") {
    report.candidate = 7;
    report.reload_queued = true;
    ControlStory shop{"shop", machine.control("shop"), report};
    CHECK(machine.abort(named("shop")).out ==
          "shop: generation 7 aborted, generation 6 serves; the reload that was asked for meanwhile is next\n");
  }
  SUBCASE("nothing: what was meant may serve by now") {
    ControlStory shop{"shop", machine.control("shop"), report};
    const Said said = machine.abort(the_only_one);
    CHECK(said.status == 1);
    CHECK(said.out == "");
    CHECK(said.err == "graced: nothing to abort in 'shop': no reload runs, generation 6 serves\n");
  }
  SUBCASE("nothing: it only starts") {
    ControlStory shop{"shop", machine.control("shop"), report_of("shop", 0)};
    CHECK(
        machine.abort(the_only_one).err ==
        "graced: nothing to abort in 'shop': no reload runs, and nothing serves (graced stop ends a start)\n");
  }
}

TEST_CASE("graced hammer counts") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  CHECK(machine.hammer(the_only_one).out == "shop: hammered 3 workers\n");
  CHECK(machine.hammer({std::nullopt, machine.control("shop")}).out == "shop: hammered 3 workers\n");
}

TEST_CASE("graced status shows it, for people and for programs") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  CHECK(machine.status(the_only_one).out.starts_with("shop  serving generation 6\n"));
  CHECK(contains(machine.status(the_only_one, StatusView::json).out, "\"serving\": 6"));
  CHECK(machine.status({std::nullopt, machine.control("shop")}).status == 0);
}

TEST_CASE("graced status --ready and --alive answer a probe by their exit status") {
  Machine machine;
  InstanceReport report = report_of("shop", 6);
  WorkerReport& worker = report.workers.emplace_back();
  worker.generation = 6;
  worker.state = "ready";
  report.phase = "reloading";
  ControlStory shop{"shop", machine.control("shop"), report};
  Said s = machine.status(the_only_one, StatusView::ready);
  CHECK(s.status == 0);
  CHECK(s.out == "shop: ready, generation 6 serves\n");
  s = machine.status(named("shop"), StatusView::alive);
  CHECK(s.status == 0);
  CHECK(s.out == "shop: alive, reloading\n");

  ControlStory mail{"mail", machine.control("mail"), report_of("mail", 2)};
  s = machine.status(named("mail"), StatusView::ready);
  CHECK(s.status == 1);
  CHECK(s.out == "");
  CHECK(s.err == "graced: 'mail' is not ready: no worker of generation 2 is ready\n");
  CHECK(machine.status(named("mail"), StatusView::alive).status == 0);

  CHECK(machine.status(named("shpo"), StatusView::ready).status == 3);
  CHECK(machine.status(named("shpo"), StatusView::alive).status == 3);
}

TEST_CASE("with nothing running they say so and where they looked") {
  Machine machine;
  const std::string where = machine.temp / "graced" + " and " + (machine.temp / "user/graced");
  const Said s = machine.reload(the_only_one);
  CHECK(s.status == 3);
  CHECK(s.err ==
        "graced: no graced is running (looked in " + where + "; --control PATH finds one elsewhere)\n");
  CHECK(machine.list().status == 0);
  CHECK(machine.list().err == "graced: no graced is running (looked in " + where + ")\n");
  CHECK(machine.list(true).out == "[]\n");

  const Said lost = machine.status({std::nullopt, machine.temp / "nowhere"});
  CHECK(lost.status == 3);
  CHECK(lost.err == "graced: no graced is running at " + (machine.temp / "nowhere") + "\n");
}

TEST_CASE("with several running one must be named, and is found by its name") {
  Machine machine;
  ControlStory mail{"mail", machine.control("mail"), report_of("mail", 2)};
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  const Said s = machine.status(the_only_one);
  CHECK(s.status == 2);
  CHECK(s.err == "graced: several are running, name one: mail, shop\n");
  CHECK(machine.status(named("mail")).out.starts_with("mail  serving generation 2\n"));

  const Said unknown = machine.status(named("shpo"));
  CHECK(unknown.status == 3);
  CHECK(unknown.err ==
        "graced: no graced named 'shpo' is running, there is mail, shop (one started with --control PATH is "
        "found by "
        "it)\n");

  const std::string list = machine.list().out;
  CHECK(contains(list, "\nmail  "));
  CHECK(contains(list, "\nshop  "));
  CHECK(contains(list, "./mail\n"));
}

TEST_CASE("two of one name in different places are told apart by --control") {
  Machine machine;
  ControlStory one{"shop", machine.control("shop")};
  ControlStory two{"shop", machine.temp / "user/graced/shop/control"};
  const Said s = machine.status(named("shop"));
  CHECK(s.status == 2);
  CHECK(s.err == "graced: several are called 'shop', say which by --control " + machine.control("shop") +
                     " or --control " + (machine.temp / "user/graced/shop/control") + "\n");
}

TEST_CASE("an instance is called what it calls itself, not what its directory is called") {
  Machine machine;
  ControlStory shop{"shop", machine.control("place"), report_of("shop", 6)};
  CHECK(machine.hammer({std::nullopt, machine.control("place")}).out == "shop: hammered 3 workers\n");
  CHECK(machine.hammer(the_only_one).out == "shop: hammered 3 workers\n");
  CHECK(machine.status(named("shop")).out.starts_with("shop  serving"));
  CHECK(machine.reload(the_only_one, std::nullopt).out == "shop: reload asked for\n");
  CHECK(contains(machine.status(named("shpo")).err, "there is shop ("));

  ControlStory mail{"mail", machine.control("mail"), report_of("mail", 2)};
  CHECK(machine.status(the_only_one).err == "graced: several are running, name one: mail, shop\n");
  CHECK(machine.status(named("shop")).status == 0);
}

TEST_CASE("the instance that GRACED_CONTROL names is among those that are listed and named") {
  Machine machine;
  machine.places.control = machine.temp / "elsewhere.socket";
  ControlStory shop{"shop", machine.places.control, report_of("shop", 6)};
  CHECK(machine.status(named("shop")).out.starts_with("shop  serving generation 6\n"));
  CHECK(contains(machine.list().out, "\nshop  "));
  CHECK(contains(machine.status(named("shpo")).err, "there is shop ("));

  // It is meant where another one has its name as well.
  ControlStory other{"shop", machine.control("shop"), report_of("shop", 2)};
  CHECK(machine.status(named("shop")).out.starts_with("shop  serving generation 6\n"));
}

TEST_CASE("a crashed instance is not running") {
  Machine machine;
  ControlStory shop{"shop", machine.control("shop")};
  shop.kill();
  CHECK(machine.status(named("shop")).status == 3);
  CHECK(machine.status({std::nullopt, machine.control("shop")}).status == 3);
  CHECK(machine.list().out == "");
}

TEST_CASE("graced list with some that hang takes no longer than with one, and shows all the others") {
  Machine machine;
  std::list<ControlStory> all;
  for (int i = 0; i < 20; ++i) {
    const std::string name = fmt::format("app{:02}", i);
    all.emplace_back(name, machine.control(name), report_of(name, 6));
  }
  const std::list<ControlStory>::iterator hung[]{std::next(all.begin(), 3), std::next(all.begin(), 11),
                                                 std::next(all.begin(), 12)};
  for (const auto& one : hung) ::kill(one->pid(), SIGSTOP);
  const auto begun = std::chrono::steady_clock::now();
  const std::string list = machine.list().out;
  const auto took = std::chrono::steady_clock::now() - begun;
  for (const auto& one : hung) ::kill(one->pid(), SIGCONT);

  CHECK(std::ranges::count(list, '\n') == 21);
  CHECK(contains(list, "\napp03  silent "));
  CHECK(contains(list, "\napp04  serving "));
  CHECK(contains(list, "\napp11  silent "));
  CHECK(contains(list, "\napp12  silent "));
  CHECK(contains(list, "\napp19  serving "));
  CHECK(took < 5s);  // one after the other they would take six
  // The later ones have the pipes of the earlier ones, who wait for their end.
  while (!all.empty()) all.pop_back();
}

TEST_CASE("graced status of several tells all of them, and the worst is the exit status") {
  Machine machine;
  ControlStory mail{"mail", machine.control("mail"), report_of("mail", 2)};
  ControlStory shop{"shop", machine.control("place"), report_of("shop", 6)};
  Said s = machine.status_of({named("shop"), named("mail")});
  CHECK(s.status == 0);
  CHECK(s.out.starts_with("shop  serving generation 6\n"));
  CHECK(contains(s.out, "\n\nmail  serving generation 2\n"));

  s = machine.status_of({named("shop"), named("chat"), named("mail")}, StatusView::json);
  CHECK(s.status == 3);
  CHECK(s.out.starts_with("[\n"));
  CHECK(contains(s.out, "\"name\": \"shop\""));
  CHECK(contains(s.out, "\"name\": \"mail\""));
  CHECK(contains(s.err, "no graced named 'chat' is running"));

  s = machine.status_of({named("shop"), named("mail")}, StatusView::alive);
  CHECK(s.out == "shop: alive, serving\nmail: alive, serving\n");
  s = machine.status_of({named("shop"), named("mail")}, StatusView::ready);
  CHECK(s.status == 1);
  CHECK(contains(s.err, "graced: 'mail' is not ready: "));
}

TEST_CASE("graced reload --all reloads one after the other and says of each on one line what came of it") {
  Machine machine;
  ControlStory chat{"chat", machine.control("chat"), report_of("chat", 1)};
  ControlStory mail{"mail", machine.control("mail"), report_of("mail", 2)};
  ControlStory shop{"shop", machine.control("shop"), report_of("shop", 6)};
  auto said = std::async(std::launch::async, [&] { return machine.reload_all(); });
  CHECK(chat.hears() == "reload 1");
  chat.does("answer 1 ok 2");
  CHECK(mail.hears() == "reload 1");
  mail.does("answer 1 failed generation 3 exited with status 1\\npanic: \x1b[2Jno config");
  CHECK(shop.hears() == "reload 1");
  shop.does("answer 1 ok 7");
  const Said s = said.get();
  CHECK(s.status == 1);
  CHECK(s.out == "chat: generation 2 serves\nshop: generation 7 serves\n");
  CHECK(s.err ==
        "graced: reload of 'mail' failed: generation 3 exited with status 1; generation 2 still serves\n");
}

TEST_CASE("graced reload --all --jobs has so many under way, and begins the next one when one has ended") {
  Machine machine;
  ControlStory a{"a", machine.control("a")};
  ControlStory b{"b", machine.control("b")};
  ControlStory c{"c", machine.control("c")};
  auto said = std::async(std::launch::async, [&] { return machine.reload_all({.at_once = 2}); });
  CHECK(a.hears() == "reload 1");
  CHECK(b.hears() == "reload 1");
  b.does("answer 1 ok 2");
  CHECK(c.hears() == "reload 1");  // while the first one still goes on
  c.does("answer 1 ok 2");
  a.does("answer 1 ok 2");
  const Said s = said.get();
  CHECK(s.status == 0);
  CHECK(std::ranges::count(s.out, '\n') == 3);
  CHECK(s.out.starts_with("b: generation 2 serves\n"));
  // These two may have answered at the same time.
  CHECK(s.out.find("a: generation 2 serves\n") != std::string::npos);
  CHECK(s.out.find("c: generation 2 serves\n") != std::string::npos);
}

TEST_CASE("graced reload --all --stop-at-first-failure leaves the others as they are, and says so") {
  Machine machine;
  ControlStory a{"a", machine.control("a"), report_of("a", 1)};
  ControlStory b{"b", machine.control("b"), report_of("b", 1)};
  ControlStory c{"c", machine.control("c"), report_of("c", 1)};
  Words out;
  Spoken err;
  auto status = std::async(std::launch::async, [&] {
    return client_reload_all({.at_once = 2, .stop_at_first_failure = true}, infinity,
                             Terminal{machine.places, out.file(), err.file(), false});
  });
  CHECK(a.hears() == "reload 1");
  CHECK(b.hears() == "reload 1");
  a.does("answer 1 failed no memory");
  CHECK(err.line() == "graced: reload of 'a' failed: no memory; generation 1 still serves");
  b.does("answer 1 ok 2");  // it had begun
  CHECK(status.get() == 1);
  CHECK(out.text() == "b: generation 2 serves\n");
  CHECK(err.line() == "graced: 'c' is not reloaded, for 'a' was not");
}

TEST_CASE("graced reload --all gives up on one after its --wait, and only asks with --no-wait") {
  Machine machine;
  ControlStory a{"a", machine.control("a")};
  ControlStory b{"b", machine.control("b")};
  Said s = machine.reload_all({}, 1ms);
  CHECK(s.status == 4);
  CHECK(s.err ==
        "graced: gave up waiting for the reload of 'a', which goes on\n"
        "graced: gave up waiting for the reload of 'b', which goes on\n");
  CHECK(a.hears() == "reload 1");
  CHECK(b.hears() == "reload 1");
  s = machine.reload_all({}, std::nullopt);
  CHECK(s.status == 0);
  CHECK(s.out == "a: reload asked for\nb: reload asked for\n");
  CHECK(a.hears() == "reload 0");
}

TEST_CASE("graced reload --all where one ends meanwhile goes on with the others") {
  Machine machine;
  SUBCASE("before it was asked: that is no failure") {
    ControlStory a{"a", machine.control("a")};
    ControlStory b{"b", machine.control("b")};
    auto said = std::async(std::launch::async, [&] { return machine.reload_all(); });
    CHECK(a.hears() == "reload 1");
    b.quit();
    a.does("answer 1 ok 2");
    const Said s = said.get();
    CHECK(s.status == 0);
    CHECK(s.out == "a: generation 2 serves\n");
    CHECK(s.err == "graced: 'b' has just ended\n");
  }
  SUBCASE("during its reload: it is one") {
    ControlStory a{"a", machine.control("a")};
    ControlStory b{"b", machine.control("b")};
    auto said = std::async(std::launch::async, [&] { return machine.reload_all(); });
    CHECK(a.hears() == "reload 1");
    a.kill();
    CHECK(b.hears() == "reload 1");
    b.does("answer 1 ok 2");
    const Said s = said.get();
    CHECK(s.status == 1);
    CHECK(s.out == "b: generation 2 serves\n");
    CHECK(s.err == "graced: reload of 'a' failed: graced ended before it answered\n");
  }
}

TEST_CASE("graced reload --all without an instance says so, and names are shown as they can be") {
  Machine machine;
  const Said none = machine.reload_all();
  CHECK(none.status == 3);
  CHECK(none.err == "graced: no graced is running (looked in " + (machine.temp / "graced") + " and " +
                        (machine.temp / "user/graced") + ")\n");

  ControlStory odd{"a b\x1b[31m", machine.control("odd"), report_of("a b\x1b[31m", 1)};
  ControlStory one{"twin", machine.control("twin"), report_of("twin", 1)};
  ControlStory two{"twin", machine.temp / "user/graced/twin/control", report_of("twin", 1)};
  const Said s = machine.reload_all({.at_once = 3}, std::nullopt);
  CHECK(s.status == 0);
  CHECK(contains(s.out, "a b\\x1b[31m: reload asked for\n"));
  CHECK(contains(s.out, "twin at " + machine.control("twin") + ": reload asked for\n"));
  CHECK(contains(s.out, "twin at " + (machine.temp / "user/graced/twin/control") + ": reload asked for\n"));
}
