// What a process of graced's own writes, and where it is.
#include "linux/worker/side_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "linux/base/pipe_text.h"
#include "temp_directory.h"

namespace graced {
namespace {

std::string all_of(const SideProcess& process) {
  std::string text;
  for (bool ended = false; !ended;) {
    pollfd readable{process.output(), POLLIN, 0};
    REQUIRE(::poll(&readable, 1, 60'000) == 1);
    text += read_available(process.output(), ended);
  }
  ::waitpid(-1, nullptr, 0);
  return text;
}

TEST_CASE("what a process of graced's own writes comes out whole, however long") {
  const std::string text(3'000'000, 'x');
  CHECK(all_of(SideProcess(StartingPlace(""), [&](int output) { write_all(output, text); })) == text);
}

// As a shell came to it by this name.
StartingPlace place_named(const TempDirectory& own, const std::string& name) {
  return StartingPlace(StartingPlace::Kept{name, ::open(own.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)});
}

std::string where_in(const StartingPlace& place) {
  return all_of(
      SideProcess(place, [](int output) { write_all(output, std::filesystem::current_path().string()); }));
}

TEST_CASE("it is in the directory that graced was started in, as its name leads there now") {
  const TempDirectory own;
  const TempDirectory there;
  CHECK(where_in(place_named(own, "")) == own.path);
  CHECK(where_in(place_named(own, there.path)) == there.path);
}

TEST_CASE("where that name leads nowhere no relative name leads to what was not meant") {
  const TempDirectory own;
  CHECK(where_in(place_named(own, own / "gone")) == "/");
}

TEST_CASE("it has no other descriptor of graced's") {
  const Fd ours(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(all_of(SideProcess(StartingPlace(""), [&](int output) {
          const bool open = ::fcntl(ours.get(), F_GETFD) >= 0 && ours.get() != output;
          write_all(output, open ? "it has" : "it has not");
        })) == "it has not");
}

TEST_CASE("what it throws ends it, and what it has written before is heard") {
  CHECK(all_of(SideProcess(StartingPlace(""), [](int output) {
          write_all(output, "before");
          throw std::runtime_error("never seen");
        })) == "before");
}

TEST_CASE("it does not outlive who wanted it") {
  {
    const SideProcess waiting(StartingPlace(""), [](int) { ::pause(); });
  }
  int status = 0;
  CHECK(::waitpid(-1, &status, 0) > 0);
  CHECK(WIFSIGNALED(status));
}

}  // namespace
}  // namespace graced
