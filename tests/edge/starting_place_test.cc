// Where graced was started, and where a reload begins.
#include "linux/worker/starting_place.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "in_child.h"
#include "temp_directory.h"

using namespace graced;
namespace fs = std::filesystem;

namespace {

std::string place_of(const Fd& fd) {
  return fs::read_symlink("/proc/self/fd/" + std::to_string(fd.get())).filename();
}

}  // namespace

TEST_CASE("the name that a shell came by is followed again, one of another place is not") {
  const TempDirectory scratch;
  for (const char* name : {"1", "2", "other"}) fs::create_directory(scratch / name);
  fs::create_directory_symlink("1", scratch / "current");
  CHECK(in_child([&] {
          fs::current_path(scratch / "current");
          const StartingPlace named(scratch / "current");
          const StartingPlace unnamed("");
          const StartingPlace relative("../current");
          const StartingPlace wrong(scratch / "other");
          fs::remove(scratch / "current");
          fs::create_directory_symlink("2", scratch / "current");
          std::string said = place_of(named.own()) + place_of(named.again());
          for (const StartingPlace* place : {&unnamed, &relative, &wrong}) said += place_of(place->again());
          fs::remove(scratch / "current");
          try {
            named.again();
          } catch (const std::system_error& e) { said += std::string(" ") + e.what(); }
          return said;
        }) == "12111 find the directory that graced was started in, " + scratch.path +
                  "/current: No such file or directory");
}
