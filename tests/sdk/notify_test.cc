// What a worker says to its supervisor, letter by letter.
#include <doctest/doctest.h>

#include <cerrno>
#include <thread>

#include "edge/temp_directory.h"
#include "graced/child.hpp"
#include "supervised.h"

namespace child = graced::child;
using namespace std::chrono_literals;

TEST_CASE("each word arrives as sd_notify(3) has it") {
  NotifySocket supervisor;
  const Variable where("NOTIFY_SOCKET", supervisor.name());
  CHECK(child::ready());
  CHECK(supervisor.hear() == "READY=1");
  CHECK(child::stopping());
  CHECK(supervisor.hear() == "STOPPING=1");
  CHECK(child::status("3 requests"));
  CHECK(supervisor.hear() == "STATUS=3 requests");
  CHECK(child::extend_timeout(90s));
  CHECK(supervisor.hear() == "EXTEND_TIMEOUT_USEC=90000000");
  CHECK(child::extend_timeout(std::chrono::microseconds::max()));
  CHECK(supervisor.hear() == "EXTEND_TIMEOUT_USEC=9223372036854775807");
  CHECK(child::notify("WATCHDOG=1\nMAINPID=7"));
  CHECK(supervisor.hear() == "WATCHDOG=1\nMAINPID=7");
}

TEST_CASE("a line break in a status cannot smuggle in another word") {
  NotifySocket supervisor;
  const Variable where("NOTIFY_SOCKET", supervisor.name());
  CHECK(child::status("slow\nREADY=1\r\x7f\xc3\xa9"));
  CHECK(supervisor.hear() == "STATUS=slow READY=1  \xc3\xa9");
}

TEST_CASE("a socket file serves as well as an abstract name") {
  const TempDirectory directory;
  const std::string path = directory / "notify";
  const Descriptor supervisor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  path.copy(un.sun_path, sizeof un.sun_path - 1);
  REQUIRE(::bind(supervisor.get(), reinterpret_cast<sockaddr*>(&un), sizeof un) == 0);

  const Variable where("NOTIFY_SOCKET", path);
  CHECK(child::ready());
  char text[64];
  CHECK(::recv(supervisor.get(), text, sizeof text, MSG_DONTWAIT) == 7);
}

TEST_CASE("without a supervisor every word is false and no error") {
  const auto nobody_heard = [](bool told) { return !told && errno == 0; };
  errno = EIO;
  CHECK(nobody_heard(child::ready()));
  CHECK(nobody_heard(child::stopping()));
  CHECK(nobody_heard(child::status("x")));
  CHECK(nobody_heard(child::extend_timeout(1s)));
  CHECK(nobody_heard(child::barrier(-1ms)));
  CHECK(nobody_heard(child::notify("A=1")));
}

TEST_CASE("a supervisor that is gone, or was never there, costs a worker nothing but the errno") {
  NotifySocket supervisor;
  const Variable where("NOTIFY_SOCKET", supervisor.name());
  supervisor.close();
  CHECK_FALSE(child::ready());
  CHECK(errno == ECONNREFUSED);

  const Variable missing("NOTIFY_SOCKET", "/nowhere/notify");
  CHECK_FALSE(child::ready());
  CHECK(errno == ENOENT);
}

TEST_CASE("a NOTIFY_SOCKET that is none of the known forms is an error") {
  const std::pair<std::string, int> forms[] = {{"relative", EAFNOSUPPORT},
                                               {"vsock:2:1", EAFNOSUPPORT},
                                               {"@", EINVAL},
                                               {"/", EINVAL},
                                               {"/" + std::string(107, 'x'), ENAMETOOLONG}};
  for (const auto& [form, code] : forms) {
    CAPTURE(form);
    const Variable where("NOTIFY_SOCKET", form);
    CHECK_FALSE(child::ready());
    CHECK(errno == code);
  }
}

TEST_CASE("a timeout cannot be extended backwards") {
  NotifySocket supervisor;
  const Variable where("NOTIFY_SOCKET", supervisor.name());
  CHECK_FALSE(child::extend_timeout(-1us));
  CHECK(errno == EINVAL);
}

TEST_CASE("a barrier ends when the supervisor closes what came with it") {
  NotifySocket supervisor;
  const Variable where("NOTIFY_SOCKET", supervisor.name());
  bool passed = false;
  std::thread worker([&] { passed = child::barrier(-1ms); });
  Descriptor came;
  CHECK(supervisor.hear(&came) == "BARRIER=1");
  CHECK(came.get() >= 0);
  came.close();
  worker.join();
  CHECK(passed);
}

TEST_CASE("a barrier does not wait for a supervisor longer than its limit") {
  NotifySocket supervisor;
  const Variable where("NOTIFY_SOCKET", supervisor.name());
  CHECK_FALSE(child::barrier(1ms));
  CHECK(errno == ETIMEDOUT);
}
