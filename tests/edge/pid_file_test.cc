// The pid file: whole at every moment, and removed by nobody but its writer.
#include "linux/self/pid_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <system_error>

#include "in_child.h"
#include "temp_directory.h"

using namespace graced;

namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string error_of(const std::string& path) {
  try {
    const PidFile file(path);
  } catch (const std::system_error& error) { return error.what(); }
  return "no error";
}

}  // namespace

TEST_CASE("a pid file holds our PID, readable by all, and is the only file") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.pid";
  {
    const PidFile file(path);
    CHECK(content_of(path) == std::to_string(::getpid()) + "\n");
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
    std::filesystem::remove(path);
    CHECK(scratch.empty());
  }
  CHECK(scratch.empty());
}

TEST_CASE("a pid file left from the last run is replaced, and removed at the end") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.pid";
  std::ofstream(path) << "999999999999\n";
  {
    const PidFile file(path);
    CHECK(content_of(path) == std::to_string(::getpid()) + "\n");
  }
  CHECK(scratch.empty());
}

TEST_CASE("a pid file that has become somebody else's is left to them") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.pid";
  {
    const PidFile file(path);
    std::ofstream(path) << ::getpid() << "0\n";
  }
  CHECK(content_of(path) == std::to_string(::getpid()) + "0\n");
}

TEST_CASE("a pid file that cannot be written is named and leaves nothing") {
  const TempDirectory scratch;
  CHECK(error_of(scratch / "missing/a.pid") ==
        "pid file " + (scratch / "missing/a.pid") + ": No such file or directory");
  CHECK(error_of(scratch.path) == "pid file " + scratch.path + ": Is a directory");
  CHECK(scratch.empty());
}

TEST_CASE("a pid file that another process holds is refused with its PID, and can be had once that has ended") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.pid";
  {
    const PidFile file(path);
    const std::string refused = in_child([&] {
      const PidFile second(path);
      return std::string("no error");
    });
    CHECK(refused.starts_with("pid file " + path + ": another graced that runs has it (PID " +
                              std::to_string(::getpid()) + ", "));
    CHECK(content_of(path) == std::to_string(::getpid()) + "\n");
  }
  CHECK(in_child([&] {
          const PidFile second(path);
          return std::string("no error");
        }) == "no error");
  CHECK(scratch.empty());
}

TEST_CASE("whoever may only read a stale pid file cannot keep it from being replaced") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.pid";
  std::ofstream(path) << "999999999999\n";
  const Fd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct flock lock {};
  lock.l_type = F_RDLCK;
  REQUIRE(::fcntl(reader.get(), F_SETLK, &lock) == 0);
  CHECK(in_child([&] {
          const PidFile file(path);
          return content_of(path) == std::to_string(::getpid()) + "\n" ? std::string("taken")
                                                                       : content_of(path);
        }) == "taken");
}
