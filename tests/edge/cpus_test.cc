// How many workers --workers auto comes to where a cgroup has a share of the processors only.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "linux/self/cpus.h"
#include "temp_directory.h"

namespace graced {
namespace {

struct Hierarchy : TempDirectory {
  Hierarchy() { std::filesystem::create_directories(path + "/pod/app"); }
  void limit(const std::string& below, const std::string& cpu_max) const {
    std::ofstream(path + below + "/cpu.max") << cpu_max << '\n';
  }
  unsigned cpus() const { return cpus_by_quota(path + "/pod/app", path); }
};

TEST_CASE("a cgroup without a limit leaves all processors") {
  const Hierarchy cgroups;
  CHECK(cgroups.cpus() == 0);
  cgroups.limit("/pod/app", "max 100000");
  CHECK(cgroups.cpus() == 0);
}

TEST_CASE("a part of a processor counts as one") {
  const Hierarchy cgroups;
  cgroups.limit("/pod/app", "50000 100000");
  CHECK(cgroups.cpus() == 1);
  cgroups.limit("/pod/app", "250000 100000");
  CHECK(cgroups.cpus() == 3);
  cgroups.limit("/pod/app", "200000 100000");
  CHECK(cgroups.cpus() == 2);
}

TEST_CASE("the least share of all cgroups above counts, the container's own root included") {
  const Hierarchy cgroups;
  cgroups.limit("/pod/app", "800000 100000");
  cgroups.limit("/pod", "200000 100000");
  CHECK(cgroups.cpus() == 2);
  cgroups.limit("", "100000 100000");
  CHECK(cgroups.cpus() == 1);
}

TEST_CASE("nonsense in cpu.max is no limit") {
  const Hierarchy cgroups;
  for (const char* text : {"", "x", "100000", "100000 0", "-5 100000"}) {
    cgroups.limit("/pod/app", text);
    CHECK(cgroups.cpus() == 0);
  }
}

}  // namespace
}  // namespace graced
