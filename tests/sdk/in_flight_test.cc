// Waiting for the last request.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "descriptor.h"
#include "graced/child.hpp"

namespace child = graced::child;
using namespace std::chrono_literals;

TEST_CASE("an idle server shuts down at once and takes nothing after") {
  child::InFlight requests;
  CHECK(requests.shutdown(0s) == child::Outcome::idle);
  CHECK_FALSE(requests.begin());
  CHECK(requests.count() == 0);
  CHECK(requests.shutdown(0s) == child::Outcome::idle);
}

TEST_CASE("shutdown waits for the last request, whichever thread ends it") {
  child::InFlight requests;
  std::vector<child::InFlight::Request> under_way;
  for (int i = 0; i < 3; ++i) under_way.push_back(*requests.begin());
  CHECK(requests.count() == 3);

  std::atomic<bool> ended = false;
  std::thread answering([&] {
    while (requests.begin()) {}  // until shutdown() is seen to have closed it
    CHECK(requests.count() == 3);
    under_way.pop_back();
    under_way.pop_back();
    ended = true;
    under_way.pop_back();
  });
  CHECK(requests.shutdown(std::chrono::nanoseconds::max()) == child::Outcome::idle);
  CHECK(ended);
  answering.join();
}

TEST_CASE("shutdown says so when its limit passes first, and may be called again") {
  child::InFlight requests;
  auto one = requests.begin();
  CHECK(requests.shutdown(0s) == child::Outcome::limit_passed);
  CHECK(requests.shutdown(1ms) == child::Outcome::limit_passed);
  CHECK_FALSE(requests.begin());
  one->end();
  one->end();  // once is all it counts
  CHECK(requests.shutdown(-1ns) == child::Outcome::idle);
}

TEST_CASE("an event loop sees idleness as a readable descriptor, and only after close") {
  child::InFlight requests;
  requests.begin()->end();
  CHECK_FALSE(readable(requests.idle_fd(), 0));
  auto one = requests.begin();
  requests.close();
  CHECK_FALSE(readable(requests.idle_fd(), 0));
  one.reset();
  CHECK(readable(requests.idle_fd(), 0));
  requests.close();
  CHECK(readable(requests.idle_fd(), 0));
}

TEST_CASE("a request that is ended once too often leaves the server idle, not busy for ever") {
  child::InFlight requests;
  REQUIRE(requests.enter());
  requests.leave();
  requests.leave();
  CHECK(requests.count() == 0);
  CHECK(requests.shutdown(0s) == child::Outcome::idle);
  requests.leave();
  CHECK(requests.count() == 0);
  CHECK(readable(requests.idle_fd(), 0));
}

TEST_CASE("a request that was moved counts once") {
  child::InFlight requests;
  {
    auto one = requests.begin();
    child::InFlight::Request moved(std::move(*one));
    CHECK(requests.count() == 1);
    auto other = requests.begin();
    moved = std::move(*other);
    CHECK(requests.count() == 1);
  }
  CHECK(requests.count() == 0);
}

TEST_CASE("no request is lost count of by many threads") {
  child::InFlight requests;
  std::atomic<unsigned> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (auto one = requests.begin()) ++taken;
    });
  }
  while (taken < 1000) std::this_thread::yield();
  CHECK(requests.shutdown(std::chrono::milliseconds(generous_ms)) == child::Outcome::idle);
  CHECK(requests.count() == 0);
  for (std::thread& t : threads) t.join();
}
