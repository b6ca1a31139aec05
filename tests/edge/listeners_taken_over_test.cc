// Another image of graced goes on with the sockets of --listen: who gets what comes to them, and that they go
// on listening.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adoption_story.h"
#include "as_root.h"
#include "handoff/kept_listeners.h"
#include "handoff/listener_watch.h"
#include "handoff/socket_sets.h"
#include "kept/handoff_members.h"
#include "linux/base/systemd.h"
#include "linux/sockets/accept_queue.h"
#include "never_destroyed.h"
#include "opening.h"
#include "temp_directory.h"
#include "through_state.h"

namespace graced {
namespace {

using Listeners = std::vector<std::shared_ptr<Listener>>;

ListenerNumbers numbered(const Listeners& listeners) {
  ListenerNumbers numbers;
  for (const auto& l : listeners) numbers.of(l);
  return numbers;
}

// By the next image, under the same numbers.
TakenListeners take_over(Listeners& listeners) {
  TakenListeners taken(through_state(numbered(listeners).kept()));
  const std::size_t count = never_destroyed(std::exchange(listeners, {})).size();
  for (std::size_t i = 0; i < count; ++i) listeners.push_back(taken.at(i));
  return taken;
}

Where where_of(const Listener& listener) {
  Where where;
  where.length = sizeof where.storage;
  REQUIRE(::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&where.storage), &where.length) == 0);
  return where;
}

unsigned waiting(const Listener& listener) {
  return tcp_accept_queue(listener.fd()).value_or(0);
}

struct Sets {
  std::vector<std::string> calls{};
  Listeners listeners{};
  std::unique_ptr<SocketSets> sets = std::make_unique<SocketSets>(callbacks());

  SocketSets::Callbacks callbacks() {
    const auto number = [this](const Listener& listener) {
      const auto at = std::ranges::find(listeners, &listener, [](const auto& l) { return l.get(); });
      return std::to_string(at - listeners.begin());
    };
    return {[this, number](const Listener& l) { calls.push_back("closes " + number(l)); },
            [this, number](const Listener& l, bool tell) {
              calls.push_back((tell ? "tells of " : "ignores ") + number(l));
            }};
  }

  void another_image() {
    ListenerNumbers numbers = numbered(listeners);
    const auto kept = through_state(sets->kept(numbers));
    REQUIRE(numbers.kept().size() == listeners.size());
    never_destroyed(std::move(sets));
    sets = std::make_unique<SocketSets>(callbacks(), kept, take_over(listeners));
  }
};

TEST_CASE("each generation's sockets are its own, and used again, in the hands of another image") {
  if (!as_root("to steer by eBPF")) return;
  Sets s;
  const auto spec = parse_listen_spec("127.0.0.1:0");
  s.listeners.push_back(open_one("127.0.0.1:0"));
  s.sets->prepare(GenerationId{2}, GenerationId{1});
  s.listeners.push_back(s.sets->another(s.listeners[0], spec));
  REQUIRE(s.listeners[1] != s.listeners[0]);
  s.another_image();  // with a candidate
  const Where where = where_of(*s.listeners[0]);
  CHECK(connecting(where) == 0);
  CHECK(waiting(*s.listeners[0]) == 1);
  s.sets->switch_to(GenerationId{2});
  s.another_image();
  CHECK(connecting(where) == 0);
  CHECK(waiting(*s.listeners[0]) == 1);
  CHECK(waiting(*s.listeners[1]) == 1);
  CHECK(s.sets->sockets_of(GenerationId{1}) == std::vector<int>{s.listeners[0]->fd()});

  s.sets->told(GenerationId{1});
  s.another_image();
  s.sets->gone(GenerationId{1});
  CHECK(s.calls == std::vector<std::string>{"tells of 0", "tells of 0"});
  s.another_image();
  s.sets->prepare(GenerationId{3}, GenerationId{2});
  CHECK(s.sets->another(s.listeners[1], spec) == s.listeners[0]);
  s.sets->switch_to(GenerationId{3});
  s.another_image();
  CHECK(connecting(where) == 0);
  CHECK(waiting(*s.listeners[0]) == 2);
  Listeners all;
  s.sets->add_all(all);
  CHECK(all.size() == 2);
}

struct Watch {
  std::vector<std::string> told{};
  Listeners listeners{};
  std::string spare_place{};
  std::unique_ptr<Loop> loop = std::make_unique<Loop>();
  std::unique_ptr<ListenerWatch> watch = std::make_unique<ListenerWatch>(*loop, teller(), arrived());

  ListenerWatch::Teller teller() {
    return [this](const Listener&, ListenerWatch::Outcome outcome, const std::string&) {
      told.push_back(std::to_string(static_cast<int>(outcome)));
    };
  }
  std::function<void(const Listener&)> arrived() {
    return [this](const Listener& listener) {
      told.push_back("arrived");
      watch->tell_of_arrivals(listener, false);
    };
  }
  void attend() { watch->watch(listeners, spare_place); }
  void turn() { sd_event_run(loop->event(), std::uint64_t{100'000}); }
  std::string tells() {
    while (told.empty()) turn();
    std::string first = told.front();
    told.erase(told.begin());
    return first;
  }
  static std::string text(ListenerWatch::Outcome outcome) { return std::to_string(static_cast<int>(outcome)); }

  void another_image(const std::function<void()>& meanwhile = [] {}) {
    ListenerNumbers numbers = numbered(listeners);
    const auto kept = through_state(watch->kept(numbers));
    never_destroyed(std::move(watch));
    never_destroyed(std::move(loop));
    meanwhile();
    loop = std::make_unique<Loop>();
    watch = std::make_unique<ListenerWatch>(*loop, teller(), arrived(), kept, take_over(listeners));
    attend();
  }
};

TEST_CASE("listeners are kept listening, and what was told is not told again, by another image") {
  using Outcome = ListenerWatch::Outcome;
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const std::string gone = directory / "gone/b.sock";
  std::filesystem::create_directory(directory / "gone");
  Watch w;
  w.listeners = {open_one("127.0.0.1:0"), open_one("unix:" + path), open_one("unix:" + gone)};
  w.spare_place = directory / "spare";
  std::filesystem::create_directory(w.spare_place);
  w.attend();
  std::filesystem::remove(path);
  CHECK(w.tells() == Watch::text(Outcome::path_is_back));
  std::filesystem::remove_all(directory / "gone");
  CHECK(w.tells() == Watch::text(Outcome::path_is_gone));
  w.watch->tell_of_arrivals(*w.listeners[0], true);
  w.another_image();
  CHECK(w.told.empty());

  const Where where = where_of(*w.listeners[0]);
  CHECK(connecting(where) == 0);
  CHECK(w.tells() == "arrived");
  ::shutdown(w.listeners[0]->fd(), SHUT_RDWR);
  CHECK(w.tells() == Watch::text(Outcome::listens_again));
  CHECK(connecting(where) == 0);

  w.another_image([&] { std::filesystem::remove(path); });
  CHECK(w.tells() == Watch::text(Outcome::path_is_back));
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a unix socket that is shut for ever is told of by one image only") {
  const TempDirectory directory;
  Watch w;
  w.listeners = {open_one("unix:@graced-test-" + std::to_string(::getpid()))};
  w.attend();
  ::shutdown(w.listeners[0]->fd(), SHUT_RDWR);
  CHECK(w.tells() == Watch::text(ListenerWatch::Outcome::lost));
  w.another_image();
  w.turn();
  CHECK(w.told.empty());
}

}  // namespace
}  // namespace graced
