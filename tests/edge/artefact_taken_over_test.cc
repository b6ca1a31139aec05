// What a generation was prepared with is what its workers run, also those that another image of graced starts.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kept/worker_members.h"
#include "never_destroyed.h"
#include "temp_directory.h"
#include "through_state.h"

namespace graced {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> variables{"PATH=/usr/bin:/bin"};

Fd directory_at(const std::string& path) {
  return Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// The one before ends by an exec, so that nothing of it is ever destroyed.
Artefact taken_over(Artefact&& artefact) {
  const auto& before = never_destroyed(std::move(artefact));
  Artefact after(through_state(before.kept()));
  CHECK(state_text(after.kept()) == state_text(before.kept()));
  return after;
}

void write_script(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  fs::permissions(path + ".new", fs::perms{0755});
  fs::rename(path + ".new", path);
}

TEST_CASE("a program that is replaced at its path after an upgrade is run from the descriptor from before it") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  fs::copy_file(fs::canonical("/bin/sh"), real + "/app");
  fs::create_directory(real + "/place");
  const Artefact artefact = taken_over(Artefact(directory_at(real), {"./app"}, variables, nullptr));
  CHECK(artefact.executable() == real + "/app");
  REQUIRE(artefact.program());
  CHECK(artefact.program()->path == real + "/app");
  CHECK_FALSE(artefact.look().from_descriptor);
  CHECK(artefact.look().changed.empty());
  CHECK(file_id(artefact.directory()) == file_id(real.c_str()));
  fs::copy_file("/bin/false", real + "/new");
  fs::rename(real + "/new", real + "/app");
  CHECK(artefact.program()->path.empty());
  CHECK(artefact.look().from_descriptor);
  CHECK(artefact.look().changed.empty());
  const Artefact again = taken_over(Artefact(artefact.kept()));
  CHECK(again.look().from_descriptor);
}

TEST_CASE("a script and what it was prepared with are compared with what they were before an upgrade") {
  const TempDirectory scratch;
  const std::string real = fs::canonical(scratch.path);
  write_script(real + "/app", "#!/bin/sh -e\nexit 0\n");
  write_script(real + "/settings", "a = 1\n");
  const Artefact artefact = taken_over(Artefact(directory_at(real), {"./app", "settings"}, variables, nullptr));
  CHECK(artefact.look().changed.empty());
  REQUIRE(artefact.program());
  CHECK(artefact.program()->shell == std::vector<std::string>{"/bin/sh", "-e"});
  write_script(real + "/settings", "a = 2\n");
  CHECK(artefact.look().changed == std::vector<std::string>{"settings"});
  std::ofstream(real + "/app", std::ios::app) << "exit 1\n";
  CHECK(artefact.look().changed == std::vector<std::string>{real + "/app", "settings"});
}

TEST_CASE("where nothing is held nothing is taken over") {
  const Artefact artefact = taken_over(Artefact(Fd(), {"/no/such/program"}, variables, nullptr));
  CHECK_FALSE(artefact.program());
  CHECK(artefact.directory() == -1);
  CHECK(artefact.look().changed.empty());
}

}  // namespace
}  // namespace graced
