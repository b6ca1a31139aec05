// Images that cannot take over: refused before the exec, or left for the one before. Each gives its reason.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "as_root.h"
#include "linux/base/fd.h"
#include "upgrade_story.h"

namespace graced {
namespace {

// Whatever was wrong: the process is what it was, and a good image can still take over.
void nothing_has_changed(const UpgradeStory& story, const auto& descriptors) {
  const std::string status = story.ask("status");
  CHECK(status.find("image=good upgrades=0 ") != std::string::npos);
  CHECK(story.descriptors() == descriptors);
  CHECK(story.upgrade_to("other") == "resumed other");
}

TEST_CASE("a file that is no program for this machine is refused, by what is wrong with it") {
  const UpgradeStory story;
  const auto descriptors = story.descriptors();
  const auto refused = [&](const std::string& name, const std::string& why) {
    CHECK(story.ask("upgrade " + story.path(name)) == fmt::format("refused {}{}", story.path(name), why));
  };
  refused("missing", ": No such file or directory");

  std::filesystem::create_directory(story.path("directory"));
  refused("directory", " is no regular file");

  const std::string noexec = story.image("noexec");
  std::filesystem::permissions(noexec, std::filesystem::perms(0644));
  refused("noexec", " is not executable: Permission denied");

  std::ofstream(story.path("script")) << "#!/bin/sh\nexit 0\n";
  std::filesystem::permissions(story.path("script"), std::filesystem::perms(0755));
  refused("script", " is a script: only an ELF file can take over");

  std::ofstream(story.path("text")) << "hello, world\n";
  std::filesystem::permissions(story.path("text"), std::filesystem::perms(0755));
  refused("text", " is no ELF file");

  std::ofstream(story.path("empty")).flush();
  std::filesystem::permissions(story.path("empty"), std::filesystem::perms(0755));
  refused("empty", " is no ELF file");

  const std::string truncated = story.image("truncated");
  const auto size = std::filesystem::file_size(truncated);
  std::filesystem::resize_file(truncated, size / 2);
  refused("truncated",
          fmt::format(" is truncated: it has {} bytes, and its headers speak of {}", size / 2, size));

  std::filesystem::resize_file(story.image("stub"), 20);
  refused("stub", " is truncated: its header is not all there");

  std::fstream foreign(story.image("foreign"), std::ios::in | std::ios::out | std::ios::binary);
  foreign.seekp(18).write("\xf7\x00", 2);  // e_machine: BPF
  foreign.close();
  refused("foreign", " is an ELF file of another machine");
  nothing_has_changed(story, descriptors);
}

TEST_CASE("an image that fails on trial is refused, and its last words are told") {
  const UpgradeStory story;
  const auto descriptors = story.descriptors();
  CHECK(story.upgrade_to("exit1") == "refused it exited with status 1: a library is missing");
  CHECK(story.upgrade_to("silent") == "refused it ended without an answer");
  CHECK(story.upgrade_to("crash") == "refused it was killed by SIGABRT");
  CHECK(story.upgrade_to("yes-crash") == "refused it was killed by SIGABRT");
  CHECK(story.upgrade_to("garbage") == "refused it answered what is no answer: 'OK\\x01 maybe'");
  CHECK(story.upgrade_to("refuse") == "refused it does not read states of format 1");
  CHECK(story.upgrade_to("hang", "200") == "refused it did not answer and end within 200ms");
  nothing_has_changed(story, descriptors);
}

TEST_CASE("an image that somebody writes to is refused") {
  const UpgradeStory story;
  const auto descriptors = story.descriptors();
  const std::string image = story.image("busy");
  Fd writer(::open(image.c_str(), O_WRONLY | O_CLOEXEC));
  CHECK(story.ask("upgrade " + image) == "refused exec: Text file busy");
  writer.reset();
  nothing_has_changed(story, descriptors);
}

TEST_CASE("an image that passes the trial and fails after the exec leaves its place to the one before") {
  const UpgradeStory story;
  const auto descriptors = story.descriptors();
  CHECK(story.upgrade_to("segv-after") == "back it was hit by SIGSEGV");
  CHECK(story.upgrade_to("overflow-after") == "back it was hit by SIGSEGV");
  CHECK(story.upgrade_to("bus-after") == "back it was hit by SIGBUS");
  CHECK(story.upgrade_to("fpe-after") == "back it was hit by SIGFPE");
  CHECK(story.upgrade_to("ill-after") == "back it was hit by SIGILL");
  CHECK(story.upgrade_to("abort-after") == "back it was hit by SIGABRT");
  CHECK(story.upgrade_to("terminate-after") == "back it was ended by std::terminate");
  CHECK(story.upgrade_to("throw-after") == "back it lost its way");
  CHECK(story.errors().empty());  // what it had taken over was left alone
  CHECK(story.upgrade_to("says-no-after") == "back it does not like this machine");
  CHECK(story.upgrade_to("exit-after") == "back it called exit");
  CHECK(story.upgrade_to("hang-after", "60000 200") == "back it did not take over in time");
  nothing_has_changed(story, descriptors);
}

TEST_CASE("an image that fails as well after it came back ends, once, with a line that says so") {
  const UpgradeStory story;
  CHECK(story.upgrade_to("frail") == "resumed frail");
  CHECK(story.upgrade_to("throw-after") == "ended");
  const int status = story.wait_for_end();
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSEGV);
  CHECK(story.errors() ==
        "graced: it came back from an upgrade that failed, and failed itself: it was hit by SIGSEGV\n");
}

TEST_CASE("a set-user-ID file is refused: graced would be another user's") {
  if (!as_root("a file of another user")) return;
#ifdef __SANITIZE_ADDRESS__
  MESSAGE("not here: the libraries of sanitizers end a program with rights of its file");
  return;
#endif
  const UpgradeStory story;
  const std::string image = story.image("suid");
  REQUIRE(::chown(image.c_str(), 65534, 65534) == 0);
  std::filesystem::permissions(image, std::filesystem::perms(04755));
  const std::string said = story.ask("upgrade " + image);
  INFO(said);
  CHECK(said.starts_with("refused it would run as user 65534 and group 0, not as 0 and 0"));
}

// The kernel clears the ambient set for such a file.
TEST_CASE("an ordinary user's image with capabilities of its own is refused where it would lose ambient ones") {
  if (!as_root("to give a user capabilities")) return;
  const UpgradeStory story({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                            "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"});
  CHECK(story.upgrade_to("other") == "resumed other");
  const std::string image = story.image("capable");
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1U << CAP_NET_RAW;
  if (::setxattr(image.c_str(), "security.capability", &data, XATTR_CAPS_SZ_2, 0) != 0) {
    MESSAGE("skipped: this file system has no capabilities of files");
    return;
  }
  const std::string said = story.ask("upgrade " + image);
  CHECK(said.starts_with("refused it would not have the capabilities that graced has now: net_bind_service ("));
}

}  // namespace
}  // namespace graced
