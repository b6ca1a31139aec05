// A process is replaced by another image of itself, and nobody sees more of it than the answer.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "as_root.h"
#include "upgrade_story.h"
#include "wait_until.h"

namespace graced {
namespace {

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

TEST_CASE(
    "another image takes over: same PID, same descriptors, same name, same signal mask, and its own code") {
  const UpgradeStory story;
  const std::string before = story.ask("status");
  const auto descriptors = story.descriptors();
  CHECK(story.upgrade_to("other") == "resumed other");
  const std::string after = story.ask("status");
  contains(after, fmt::format("pid={} image=other upgrades=1", story.pid()));
  CHECK(after.substr(after.find("name=")) == before.substr(before.find("name=")));
  contains(after, "name=good ");
  contains(after, "call=no");
  CHECK(story.image_that_runs() == "other");
  CHECK(story.descriptors() == descriptors);
}

TEST_CASE("forty upgrades leave descriptors and memory as one does") {
  const UpgradeStory story;
  CHECK(story.upgrade_to("other") == "resumed other");
  const auto descriptors = story.descriptors();
  const long memory = story.private_kilobytes();
  for (int i = 0; i < 20; ++i) {
    CHECK(story.upgrade_to("third") == "resumed third");
    CHECK(story.upgrade_to("other") == "resumed other");
  }
  contains(story.ask("status"), "upgrades=41 ");
  CHECK(story.descriptors() == descriptors);
  CHECK(std::labs(story.private_kilobytes() - memory) <= 256);  // where the kernel puts things varies
}

TEST_CASE("a child that was there before is still a child, and its end is seen") {
  const UpgradeStory story;
  const pid_t child = std::stoi(story.ask("child"));
  CHECK(story.upgrade_to("other") == "resumed other");
  ::kill(child, SIGKILL);
  CHECK(wait_until([&] { return story.ask("status").find("ended=1 ") != std::string::npos; }));
}

TEST_CASE("an image can be replaced after its file was deleted, and the one that takes over as well") {
  const UpgradeStory story;
  std::filesystem::remove(story.path("good"));
  CHECK(story.upgrade_to("other") == "resumed other");
  std::filesystem::remove(story.path("other"));
  CHECK(story.upgrade_to("third") == "resumed third");
}

TEST_CASE("the image before comes back also where its file was deleted meanwhile") {
  const UpgradeStory story;
  std::filesystem::remove(story.path("good"));
  CHECK(story.upgrade_to("abort-after") == "back it was hit by SIGABRT");
  contains(story.ask("status"), "image=good upgrades=0 ");
  CHECK(story.upgrade_to("other") == "resumed other");
}

TEST_CASE("a descriptor that nobody names is refused before anything is tried") {
  const UpgradeStory story;
  story.ask("leak");
  const std::string said = story.upgrade_to("other");
  contains(said, "refused descriptor ");
  contains(said, " (socket:[");
  contains(said, ") is not named in the state");
  contains(story.ask("status"), "image=good upgrades=0 ");
}

TEST_CASE("PID 1 of a container is replaced as any other process") {
  if (!as_root("a PID namespace")) return;
  const UpgradeStory story({"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"});
  contains(story.ask("status"), "pid=1 image=good ");
  CHECK(story.upgrade_to("other") == "resumed other");
  contains(story.ask("status"), "pid=1 image=other ");
  CHECK(story.upgrade_to("segv-after") == "back it was hit by SIGSEGV");
  contains(story.ask("status"), "pid=1 image=other ");
}

}  // namespace
}  // namespace graced
