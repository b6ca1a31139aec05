#include "linux/connections/first_words.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <vector>

#include "linux/base/duplicate.h"
#include "loopback.h"
#include "wait_until.h"

using namespace graced;

namespace {

// A process that has the same descriptors as this one had when it began.
class Twin {
 public:
  explicit Twin(const std::function<void()>& before = {}) : pid_(::fork()) {
    if (pid_ > 0) return;
    if (before) before();
    for (;;) ::pause();
  }
  ~Twin() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

struct Accepted {
  Loopback where{Family::ipv4};
  Fd listener = where.listen();
  Fd client = where.connect();
  Fd worker = accept_from(listener);

  ArrivalPlaces places() const {
    std::vector<Fd> owned;
    owned.push_back(duplicate(listener.get()));
    return {{}, std::move(owned), 0};
  }
};

constexpr Duration patient = 1h;

void read_all(const Fd& fd) {
  char buffer[64];
  REQUIRE(::recv(fd.get(), buffer, sizeof buffer, 0) > 0);
}

}  // namespace

TEST_CASE("a client who has said nothing is waited for, until he speaks and is heard") {
  const Accepted a;
  REQUIRE(a.worker);
  auto places = a.places();
  const Twin worker;
  FirstWords words(worker.pid());
  CHECK_FALSE(words.heard(places, patient));
  REQUIRE(::send(a.client.get(), "GET", 3, 0) == 3);
  wait_until([&] {
    char byte;
    return ::recv(a.worker.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
  });
  CHECK_FALSE(words.heard(places, patient));  // it lies in the socket, and nobody has read it
  read_all(a.worker);
  CHECK(words.heard(places, patient));
}

TEST_CASE("a client who keeps silent for long is not waited for any more") {
  const Accepted a;
  auto places = a.places();
  const Twin worker;
  FirstWords words(worker.pid());
  CHECK_FALSE(words.heard(places, patient));
  CHECK(words.heard(places, Duration::zero()));
}

TEST_CASE("a server that speaks first has begun the conversation") {
  const Accepted a;
  auto places = a.places();
  const Twin worker;
  REQUIRE(::send(a.worker.get(), "220 hello", 9, 0) == 9);
  CHECK(FirstWords(worker.pid()).heard(places, patient));
}

TEST_CASE("connections that a worker has to others are not waited for") {
  const Accepted other;
  Loopback where(Family::ipv4);
  std::vector<Fd> owned;
  owned.push_back(where.listen());
  ArrivalPlaces places({}, std::move(owned), 0);
  const Twin worker;
  CHECK(FirstWords(worker.pid()).heard(places, patient));
}

TEST_CASE("a silent client of a process below the worker is waited for") {
  const Accepted a;
  auto places = a.places();
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd ready(ends[0]);
  Fd started(ends[1]);
  const Twin worker([&] {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);  // it was ended before
      return;
    }
    // The child alone has the connection.
    ::close(a.worker.get());
    ::close(a.client.get());
    static_cast<void>(!::write(started.get(), "!", 1));
  });
  char byte;
  REQUIRE(::read(ready.get(), &byte, 1) == 1);
  CHECK_FALSE(FirstWords(worker.pid()).heard(places, patient));
}

TEST_CASE("who waits in the queue is seen") {
  Loopback where(Family::ipv4);
  std::vector<Fd> owned;
  owned.push_back(where.listen());
  const Fd listener = duplicate(owned.front().get());
  const ArrivalPlaces places({}, std::move(owned), 0);
  CHECK_FALSE(places.anybody_queued());
  const Fd client = where.connect();
  CHECK(places.anybody_queued());
  REQUIRE(accept_from(listener));
  CHECK_FALSE(places.anybody_queued());
}
