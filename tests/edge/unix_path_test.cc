// Socket files: stale ones replaced, live ones and others' left alone.
#include "linux/sockets/unix_path.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>

#include "as_root.h"
#include "in_child.h"
#include "linux/base/unix_address.h"
#include "linux/event/file_watch.h"
#include "opening.h"
#include "temp_directory.h"

using namespace graced;

namespace {

int connect_to_path(const std::string& path, int type = SOCK_STREAM) {
  const Fd client(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const UnixAddress where = unix_path_address(path).value();
  return ::connect(client.get(), where.get(), where.length) == 0 ? 0 : errno;
}

// A foreign socket file; stale once the Fd is gone.
Fd bind_foreign(const std::string& path, int type) {
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const UnixAddress where = unix_path_address(path).value();
  REQUIRE(::bind(fd.get(), where.get(), where.length) == 0);
  return fd;
}

unsigned mode_of(const std::string& path) {
  struct stat file {};
  ::lstat(path.c_str(), &file);
  return file.st_mode & 07777;
}

}  // namespace

TEST_CASE("a change that fails half-way is taken back") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  const auto listener = open_one("unix:" + path + ",mode=0600");
  auto options = parse_listen_spec("unix:" + path + ",mode=0666").options;
  options.keep_alive = true;
  options.user = "no-such-user";
  CHECK(error_of([&] { apply_options(*listener, options); }) ==
        "unix:" + path + ": user 'no-such-user' does not exist");
  CHECK(option_of(*listener, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(mode_of(path) == 0600);
  CHECK(!listener->spec().options.user);
}

TEST_CASE("a unix socket file has the mode asked for, whatever the umask, and goes with its listener") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  const mode_t before = ::umask(0027);
  {
    const auto listener = open_one("unix:" + path + ",mode=0622");
    CHECK(listener->address() == "unix " + path);
    CHECK(listener->kind() == AddressKind::unix_stream);
    CHECK(listener->name() == "a.sock");
    CHECK(mode_of(path) == 0622);
    CHECK(connect_to_path(path) == 0);
    apply_options(*listener, {});
    CHECK(mode_of(path) == 0666);
  }
  CHECK(::umask(before) == 0027);
  CHECK(scratch.empty());
}

TEST_CASE("a unix socket file can belong to another user and group") {
  if (!as_root("to give a file away")) return;
  const TempDirectory scratch;
  const auto listener = open_one("unix:" + (scratch / "a.sock") + ",mode=0660,user=4711,group=4712");
  struct stat file {};
  REQUIRE(::lstat((scratch / "a.sock").c_str(), &file) == 0);
  CHECK(file.st_uid == 4711);
  CHECK(file.st_gid == 4712);
  CHECK((file.st_mode & 07777) == 0660);
}

TEST_CASE("an unknown owner is named, and no file is left") {
  const TempDirectory scratch;
  const std::string address = "unix:" + (scratch / "a.sock");
  CHECK(error_of_opening(address + ",user=no-such-user") == address + ": user 'no-such-user' does not exist");
  CHECK(error_of_opening(address + ",group=no-such-group") ==
        address + ": group 'no-such-group' does not exist");
  CHECK(scratch.empty());
}

TEST_CASE("unix sockets of every type, abstract ones too") {
  const TempDirectory scratch;
  CHECK(open_one("unix-dgram:" + (scratch / "d"))->address() == "unix-dgram " + (scratch / "d"));
  CHECK(open_one("unix-seqpacket:" + (scratch / "s"))->address() == "unix-seqpacket " + (scratch / "s"));
  CHECK(scratch.empty());

  const std::string name = "unix:@graced-test-" + std::to_string(::getpid());
  const auto abstract = open_one(name);
  CHECK(abstract->address() == "unix @graced-test-" + std::to_string(::getpid()));
  CHECK(error_of_opening(name) == "bind " + name + ": address in use by graced itself (is it listed twice?)");
}

TEST_CASE("a stale unix socket file is replaced") {
  const TempDirectory scratch;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const std::string path = scratch / "stale.sock";
    bind_foreign(path, type);
    REQUIRE(std::filesystem::exists(path));
    {
      const auto listener = open_one("unix:" + path);
      CHECK(connect_to_path(path) == 0);
    }
    CHECK(scratch.empty());
  }
}

TEST_CASE("a unix socket in use is left alone, also one that is bound but does not listen yet") {
  const TempDirectory scratch;
  const std::string path = scratch / "live.sock";
  const std::string expected =
      "bind unix:" + path + ": address in use by " + own_name() + " (PID " + std::to_string(::getpid()) + ")";
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const Fd foreign = bind_foreign(path, type);
    CHECK(in_child([&] { return error_of_opening("unix:" + path); }) == expected);
    if (type != SOCK_DGRAM) REQUIRE(::listen(foreign.get(), 1) == 0);
    CHECK(in_child([&] { return error_of_opening("unix-dgram:" + path); }) ==
          "bind unix-dgram:" + expected.substr(std::strlen("bind unix:")));
    CHECK(connect_to_path(path, type) == 0);
    std::filesystem::remove(path);
  }
  CHECK(scratch.empty());
}

TEST_CASE("asking whether a unix socket is in use does not disturb its server") {
  const TempDirectory scratch;
  const std::string path = scratch / "live.sock";
  const Fd foreign = bind_foreign(path, SOCK_STREAM);
  REQUIRE(::listen(foreign.get(), 1) == 0);
  CHECK(error_of_opening("unix:" + path) ==
        "bind unix:" + path + ": address in use by graced itself (is it listed twice?)");
  REQUIRE(::fcntl(foreign.get(), F_SETFL, O_NONBLOCK) == 0);
  CHECK(::accept4(foreign.get(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
}

TEST_CASE("of two that replace one stale socket at the same time exactly one gets it") {
  const TempDirectory scratch;
  const std::string path = scratch / "contested.sock";
  const auto try_to_open = [&] {
    std::vector<std::shared_ptr<Listener>> won;
    try {
      won = open_listeners(parse_listen_spec("unix:" + path));
    } catch (const std::system_error&) {}
    return won;
  };
  // Both wait for this to change without sleeping: a wake-up would let one of them win every time.
  void* const shared =
      ::mmap(nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  for (int round = 0; round < 200; ++round) {
    bind_foreign(path, SOCK_STREAM);
    auto* const go = new (shared) std::atomic<bool>(false);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd here(ends[0]);
    Fd there(ends[1]);
    char byte = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      (void)!::write(there.get(), "r", 1);
      while (!go->load()) continue;
      auto won = try_to_open();
      (void)!::write(there.get(), won.empty() ? "n" : "y", 1);
      // Held until the other has tried too.
      (void)!::read(there.get(), &byte, 1);
      won.clear();
      ::_exit(0);
    }
    there.reset();
    REQUIRE(::read(here.get(), &byte, 1) == 1);
    go->store(true);
    auto won = try_to_open();
    REQUIRE(::read(here.get(), &byte, 1) == 1);
    CHECK(won.empty() == (byte == 'y'));
    CHECK(connect_to_path(path) == 0);
    won.clear();
    (void)!::write(here.get(), "d", 1);
    ::waitpid(child, nullptr, 0);
    REQUIRE(scratch.empty());
  }
  ::munmap(shared, sizeof(std::atomic<bool>));
}

TEST_CASE("what is not a socket is never removed") {
  const TempDirectory scratch;
  const std::string path = scratch / "file";
  std::ofstream(path) << "precious";
  const std::string expected =
      "unix:" + path + ": " + path + " exists and is not a socket (remove it, or choose another path)";
  CHECK(error_of_opening("unix:" + path) == expected);
  CHECK(std::filesystem::file_size(path) == 8);

  std::filesystem::create_symlink("nowhere", scratch / "link");
  CHECK(error_of_opening("unix:" + (scratch / "link")).find("is not a socket") != std::string::npos);
  CHECK(std::filesystem::is_symlink(scratch / "link"));
}

TEST_CASE("a directory that is missing is named") {
  const TempDirectory scratch;
  const std::string path = scratch / "missing/a.sock";
  CHECK(error_of_opening("unix:" + path) ==
        "bind unix:" + path + ": directory " + (scratch / "missing") +
            " does not exist (create it, or let the service manager, as with "
            "RuntimeDirectory=)");
}

TEST_CASE("a socket file that took the place of ours is not removed") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  auto listener = open_one("unix:" + path);
  std::filesystem::remove(path);
  const Fd foreign = bind_foreign(path, SOCK_STREAM);
  listener.reset();
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("the socket file is removed also when the working directory has changed") {
  const TempDirectory scratch;
  const std::string said = in_child([&] {
    if (::chdir(scratch.path.c_str()) < 0) return "chdir failed";
    auto listener = open_one("unix:relative.sock");
    const bool there = std::filesystem::exists(scratch / "relative.sock");
    if (::chdir("/") < 0) return "chdir failed";
    listener.reset();
    return there ? "was there" : "was not there";
  });
  CHECK(said == "was there");
  CHECK(scratch.empty());
}

TEST_CASE("a path whose removal was told is put back, though the kernel may still find it") {
  const TempDirectory scratch;
  const std::string path = scratch / "a.sock";
  const auto listener = open_one("unix:" + path);
  REQUIRE(listener->keep_spare_path(scratch / "spare") == 0);
  FileWatch watch;
  REQUIRE(watch.add(path) >= 0);
  std::atomic<int> to_remove{0};
  std::atomic<int> removed{0};
  constexpr int times = 1000;  // some of which are looked at in that moment, where there is a second processor
  std::thread remover([&] {
    for (int i = 1; i <= times; ++i) {
      to_remove.wait(i - 1);
      ::unlink(path.c_str());
      removed = i;
      removed.notify_one();
    }
  });
  int lost = 0;
  for (int i = 1; i <= times; ++i) {
    watch.clear();
    to_remove = i;
    to_remove.notify_one();
    pollfd told{.fd = watch.fd(), .events = POLLIN, .revents = 0};
    ::poll(&told, 1, -1);
    const UnixPath::PutBack found = listener->path().put_back_if_missing();
    if (!found.put_back) ++lost;
    removed.wait(i - 1);
    if (!found.put_back) listener->path().put_back();
  }
  remover.join();
  CHECK(lost == 0);
  CHECK(connect_to_path(path) == 0);
}
