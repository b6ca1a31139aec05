// Where an instance lives: one per name, nothing in the way of the next, nothing left behind.
#include "linux/control/instance.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "as_root.h"
#include "control_story.h"
#include "linux/base/umask_scope.h"
#include "linux/base/unix_address.h"
#include "linux/control/control_places.h"
#include "temp_directory.h"

using namespace graced;
namespace fs = std::filesystem;

namespace {

template <class Body>
std::string why_not(const Body& body) {
  try {
    body();
  } catch (const std::runtime_error& e) { return e.what(); }
  return "";
}

std::string why_not_at(const std::string& control) {
  return why_not([&] { Instance{"shop", control}; });
}

mode_t mode_of(const std::string& path) {
  struct stat file {};
  REQUIRE(::lstat(path.c_str(), &file) == 0);
  return file.st_mode & 07777;
}

Fd bound(const std::string& path, int type) {
  Fd socket{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
  const UnixAddress address = unix_path_address(path).value();
  REQUIRE(::bind(socket.get(), address.get(), address.length) == 0);
  if (type == SOCK_STREAM) REQUIRE(::listen(socket.get(), 1) == 0);
  return socket;
}

bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// A process that ends with what `body` returns.
template <class Body>
pid_t child(const Body& body) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(body());
  return pid;
}

int status_of(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("an instance makes its directories and takes them away again") {
  TempDirectory temp;
  {
    const UmaskScope strict{0077};
    Instance instance{"shop", temp / "graced/shop/control"};
    CHECK(instance.control_path() == temp / "graced/shop/control");
    CHECK(instance.notify_path() == temp / "graced/shop/control.notify");
    CHECK(mode_of(temp / "graced") == 0755);
    CHECK(mode_of(temp / "graced/shop") == 0755);
    CHECK(mode_of(temp / "graced/shop/control") == 0666);
    CHECK(mode_of(temp / "graced/shop/control.lock") == 0600);
    const Fd socket = instance.take_control_socket();
    CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    const auto left = bound(instance.notify_path(), SOCK_DGRAM);
  }
  CHECK(temp.empty());
}

TEST_CASE("a directory that was there before stays, also when it is empty") {
  TempDirectory temp;
  fs::create_directory(temp / "shop");
  { Instance instance{"shop", temp / "shop/control"}; }
  CHECK(fs::is_empty(temp / "shop"));
}

TEST_CASE("the last of several instances takes the common directory away") {
  TempDirectory temp;
  auto first = std::make_unique<Instance>("a", temp / "graced/a/control");
  auto second = std::make_unique<Instance>("b", temp / "graced/b/control");
  first.reset();
  CHECK(fs::exists(temp / "graced/b/control"));
  CHECK_FALSE(fs::exists(temp / "graced/a"));
  second.reset();
  CHECK(temp.empty());
}

TEST_CASE("a second graced of one name is told who is the first") {
  TempDirectory temp;
  ControlStory first{"shop", temp / "graced/shop/control"};
  CHECK(why_not_at(temp / "graced/shop/control") == "another graced named 'shop' is running (PID " +
                                                        std::to_string(first.pid()) +
                                                        "): give this one another --name, or stop that one");
  CHECK(fs::exists(temp / "graced/shop/control"));
  first.does("phase serving");  // which it does not notice
  CHECK(first.quit() == 0);
  CHECK(temp.empty());
}

TEST_CASE("what a killed instance left is taken over, and cleared away in its place") {
  TempDirectory temp;
  const std::string control = temp / "graced/shop/control";
  ControlStory first{"shop", control};
  bound(control + ".notify", SOCK_DGRAM).reset();
  first.kill();
  CHECK(fs::exists(control));
  ControlStory second{"shop", control};
  second.does("phase serving");
  CHECK(second.quit() == 0);
  CHECK(temp.empty());
}

TEST_CASE("of many that start at once one gets the name, and in the end nothing is left") {
  TempDirectory temp;
  const std::string control = temp / "graced/shop/control";
  for (int round = 0; round < 20; ++round) {
    std::vector<pid_t> starters;
    for (int i = 0; i < 8; ++i)
      starters.push_back(child([&] {
        const std::string why = why_not_at(control);
        if (!why.empty() && !contains(why, "another graced named 'shop' is running")) MESSAGE(why);
        return why.empty() ? 0 : contains(why, "another graced named 'shop' is running") ? 1 : 2;
      }));
    int got_it = 0;
    for (const pid_t pid : starters) {
      const int status = status_of(pid);
      CHECK(status < 2);
      got_it += status == 0 ? 1 : 0;
    }
    CHECK(got_it >= 1);
  }
  const std::string why = why_not_at(control);
  CHECK_MESSAGE(why.empty(), why);
}

TEST_CASE("a path too long for a socket is refused before anything is made") {
  TempDirectory temp;
  const std::string control = temp / std::string(100 - temp.path.size(), 'x');
  CHECK(control.size() == 101);
  CHECK(why_not_at(control) ==
        "control path " + control +
            " has 101 characters, a socket's may have 100: give a shorter one with --control PATH");
  CHECK(temp.empty());
  CHECK(why_not_at(control.substr(0, 100)) == "");
}

TEST_CASE("what is not a crashed graced's is not removed") {
  TempDirectory temp;
  const std::string control = temp / "control";
  SUBCASE("a file") {
    std::ofstream{control} << "precious";
    CHECK(why_not_at(control) ==
          control + " exists and is not a socket: remove it, or give another path with --control PATH");
  }
  SUBCASE("a symlink") {
    fs::create_symlink(temp / "elsewhere", control);
    CHECK(contains(why_not_at(control), "exists and is not a socket"));
  }
  SUBCASE("a socket somebody listens on") {
    const Fd other = bound(control, SOCK_STREAM);
    CHECK(why_not_at(control) ==
          control + " belongs to another program that is running: give another path with --control PATH");
  }
  SUBCASE("a socket of another kind somebody has bound") {
    const Fd other = bound(control, SOCK_DGRAM);
    CHECK(contains(why_not_at(control), "belongs to another program"));
  }
  CHECK(fs::symlink_status(control).type() != fs::file_type::not_found);
  CHECK_FALSE(fs::exists(control + ".lock"));
}

TEST_CASE("a lock file that is a symlink is not followed") {
  TempDirectory temp;
  fs::create_symlink(temp / "elsewhere", temp / "control.lock");
  CHECK(contains(why_not_at(temp / "control"), "(--control gives another)"));
  CHECK_FALSE(fs::exists(temp / "elsewhere"));
}

TEST_CASE("a directory in other hands is refused") {
  TempDirectory temp;
  fs::create_directory(temp / "theirs");
  SUBCASE("another user's") {
    if (!as_root("to give a directory away")) return;
    REQUIRE(::chown((temp / "theirs").c_str(), 65534, 65534) == 0);
    CHECK(why_not_at(temp / "theirs/control") ==
          temp / "theirs" +
              " belongs to uid 65534, who could replace the control socket: give a place of your own "
              "with --control PATH");
    CHECK(contains(why_not_at(temp / "theirs/mine/control"), "belongs to uid 65534"));
  }
  SUBCASE("everybody's") {
    REQUIRE(::chmod((temp / "theirs").c_str(), 0777) == 0);
    CHECK(contains(why_not_at(temp / "theirs/control"), "everybody may write to " + (temp / "theirs")));
  }
  CHECK(fs::is_empty(temp / "theirs"));
}

TEST_CASE("no permission for the place is said with the way out") {
  if (!as_root("to make a place without permission")) return;
  TempDirectory temp;
  fs::permissions(temp.path, fs::perms{0755});
  CHECK(status_of(child([&] {
          if (::setuid(65534) != 0) return 99;
          const std::string why = why_not_at(temp / "graced/shop/control");
          return contains(why, "belongs to uid 0") || contains(why, "--control") ? 0 : 1;
        })) == 0);
  CHECK(contains(why_not_at("/proc/graced/control"),
                 "no place for the control socket (--control gives another): make /proc/graced"));
}

TEST_CASE("the place follows from the environment") {
  ControlPlaces places{.euid = 0};
  CHECK(default_control_path("shop", places) == "/run/graced/shop/control");
  places.xdg_runtime_dir = "/run/user/0";
  CHECK(default_control_path("shop", places) == "/run/graced/shop/control");
  places.euid = 1000;
  places.xdg_runtime_dir = "/run/user/1000";
  CHECK(default_control_path("shop", places) == "/run/user/1000/graced/shop/control");
  places.runtime_directory = "/run/graced/shop:/run/other";
  CHECK(default_control_path("shop", places) == "/run/graced/shop/control");
  CHECK(contains(why_not([] { default_control_path("shop", {.euid = 1000}); }), "--control PATH"));
}

TEST_CASE("running instances are found, and told from what crashed ones left") {
  TempDirectory temp;
  ControlPlaces places{.runtime_directory = temp / "run/graced/a",
                       .xdg_runtime_dir = temp / "user",
                       .euid = 0,
                       .system_directory = temp / "run/graced"};
  CHECK(find_instances(places).empty());

  ControlStory a{"a", temp / "run/graced/a/control"};
  ControlStory b{"b", temp / "user/graced/b/control"};
  ControlStory c{"c", temp / "run/graced/c/control"};
  c.kill();
  std::ofstream{temp / "run/graced/d"} << "not a directory";

  const std::vector<Found> found = find_instances(places);
  REQUIRE(found.size() == 3);
  CHECK(found[0].name == "a");
  CHECK(found[0].live);
  CHECK(found[1].name == "b");
  CHECK(found[1].control == temp / "user/graced/b/control");
  CHECK(found[1].live);
  CHECK(found[2].name == "c");
  CHECK_FALSE(found[2].live);
}
