#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "adoption_story.h"
#include "as_root.h"
#include "linux/adoption/adoption.h"
#include "linux/sockets/group_key.h"
#include "temp_directory.h"

using namespace graced;

namespace {

// What most servers of unix sockets do.
int serve(const Where& where, const char* path) {
  if (path != nullptr) ::unlink(path);
  const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(s, where.get(), where.length) != 0) return -1;
  return ::listen(s, 16) == 0 ? s : -1;
}

// Says "ok", then accepts when told and says what it read.
AdoptedWorker::Body server(const std::string& path, mode_t mask = 022) {
  return [path, mask](const WorkerSide& test) {
    ::umask(mask);
    const int s = serve(at_path(path), path.c_str());
    test.say(outcome(s));
    test.wait();
    const int connection = ::accept(s, nullptr, nullptr);
    char text[64] = {};
    const ssize_t n = ::read(connection, text, sizeof text - 1);
    test.say(n >= 0 ? text : "nothing");
    ::close(connection);
    test.wait();
    ::unlink(path.c_str());
    test.say("unlinked");
    test.wait();
  };
}

Fd send_to(const std::string& path, const std::string& text) {
  Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Where where = at_path(path);
  REQUIRE(::connect(client.get(), where.get(), where.length) == 0);
  REQUIRE(::write(client.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::shutdown(client.get(), SHUT_WR);
  return client;
}

struct stat stat_of(const std::string& path) {
  struct stat s {};
  REQUIRE(::lstat(path.c_str(), &s) == 0);
  return s;
}

bool exists(const std::string& path) {
  struct stat s {};
  return ::lstat(path.c_str(), &s) == 0;
}

}  // namespace

TEST_CASE("a unix path is handed from generation to generation, whatever is unlinked, and is gone at the end") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  AdoptedNames names;
  AdoptedWorker first(names, 1, server(path));
  CHECK(first.hears() == "ok");
  CHECK(names.promote(1).empty());
  CHECK(first.only_socket().key == "unix " + path);
  CHECK(first.only_socket().address == "unix " + path);
  CHECK_FALSE(first.only_socket().steerable());
  const ino_t file_of_first = stat_of(path).st_ino;

  AdoptedWorker second(names, 2, server(path));
  CHECK(second.hears() == "ok");
  CHECK(second.only_socket().key == first.only_socket().key);
  // Until it is promoted nobody reaches it.
  CHECK(stat_of(path).st_ino == file_of_first);
  CHECK(exists(path + ".g2"));
  { const Fd client = send_to(path, "to the first"); }
  CHECK(first.goes_and_says() == "to the first");

  CHECK(names.promote(2).empty());
  CHECK(stat_of(path).st_ino != file_of_first);
  CHECK_FALSE(exists(path + ".g2"));
  { const Fd client = send_to(path, "to the second"); }
  CHECK(second.goes_and_says() == "to the second");

  CHECK(first.goes_and_says() == "unlinked");
  CHECK(exists(path));
  first.kill();
  first.let_go();
  CHECK(exists(path));

  CHECK(second.goes_and_says() == "unlinked");
  CHECK(exists(path));
  second.kill();
  CHECK(exists(path));
  second.let_go();
  CHECK_FALSE(exists(path));
  CHECK(directory.empty());
}

TEST_CASE("a candidate that fails after it listened on a unix path has changed nothing") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  AdoptedNames names;
  AdoptedWorker first(names, 1, server(path));
  CHECK(first.hears() == "ok");
  names.promote(1);
  {
    AdoptedWorker second(names, 2, server(path));
    CHECK(second.hears() == "ok");
  }
  CHECK_FALSE(exists(path + ".g2"));
  { const Fd client = send_to(path, "still here"); }
  CHECK(first.goes_and_says() == "still here");
}

TEST_CASE("mode and owner that the program gave to its path stay with the path") {
  if (!as_root("chown")) return;
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const auto body = [path](mode_t mode) {
    return [path, mode](const WorkerSide& test) {
      ::umask(077);
      ::unlink(path.c_str());
      const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
      const Where where = at_path(path);
      long result = ::bind(s, where.get(), where.length);
      test.say(outcome(result));
      test.wait();
      result = ::chmod(path.c_str(), mode);
      if (result == 0) result = ::chown(path.c_str(), 33, 34);
      if (result == 0) result = ::listen(s, 4);
      test.say(outcome(result));
      test.wait();
    };
  };
  AdoptedNames names;
  AdoptedWorker first(names, 1, body(0660));
  CHECK(first.hears() == "ok");
  CHECK((stat_of(path).st_mode & 07777) == 0700);
  CHECK(first.goes_and_says() == "ok");
  names.promote(1);
  AdoptedWorker second(names, 2, body(0606));
  CHECK(second.hears() == "ok");
  CHECK(second.goes_and_says() == "ok");
  names.promote(2);
  CHECK(stat_of(path).st_ino == second.only_socket().name->file_found.inode);
  CHECK((stat_of(path).st_mode & 07777) == 0606);
  CHECK(stat_of(path).st_uid == 33);
  CHECK(stat_of(path).st_gid == 34);
}

TEST_CASE("a socket file belongs to the worker's user, and is not made where that user may not") {
  if (!as_root("to become another user")) return;
  const TempDirectory directory;
  const std::string allowed = directory / "open";
  const std::string forbidden = directory / "closed";
  ::mkdir(allowed.c_str(), 0);
  ::chmod(allowed.c_str(), 0777);
  ::mkdir(forbidden.c_str(), 0755);
  ::chmod(directory.path.c_str(), 0755);
  AdoptedNames names;
  AdoptedWorker worker(names, 1,
                       [&](const WorkerSide& test) {
                         ::umask(0);
                         const std::string good = allowed + "/a.sock";
                         const std::string bad = forbidden + "/a.sock";
                         const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
                         test.say(outcome(::bind(s, at_path(bad).get(), at_path(bad).length)));
                         test.say(outcome(::bind(s, at_path(good).get(), at_path(good).length)));
                         test.say(outcome(::listen(s, 1)));
                         test.wait();
                       },
                       {.user = 65534});
  CHECK(worker.hears() == "EACCES");
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ok");
  CHECK(stat_of(allowed + "/a.sock").st_uid == 65534);
  CHECK(stat_of(allowed + "/a.sock").st_gid == 65534);
  CHECK((stat_of(allowed + "/a.sock").st_mode & 07777) == 0777);
  CHECK(::geteuid() == 0);
}

TEST_CASE("a relative path, an unlinkat from a directory and a chroot are the worker's own") {
  if (!as_root("chroot")) return;
  const TempDirectory directory;
  ::mkdir((directory / "jail").c_str(), 0755);
  ::mkdir((directory / "jail/run").c_str(), 0755);
  const auto relative = [&](const WorkerSide& test) {
    if (::chdir(directory.path.c_str()) != 0) test.say("chdir");
    test.say(outcome(serve(at_path("r.sock"), "r.sock")));
    const int base = ::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY);
    test.say(outcome(::unlinkat(base, "r.sock", 0)));
    test.wait();
  };
  const auto jailed = [&](const WorkerSide& test) {
    if (::chroot((directory / "jail").c_str()) != 0 || ::chdir("/run") != 0) test.say("chroot");
    test.say(outcome(serve(at_path("/run/j.sock"), "/run/j.sock")));
    test.say(outcome(::unlink("../run/j.sock")));
    test.wait();
  };
  const std::string before = std::filesystem::current_path();
  AdoptedNames names;
  AdoptedWorker one(names, 1, relative);
  CHECK(one.hears() == "ok");
  CHECK(one.hears() == "ok");
  CHECK(one.only_socket().address == "unix " + directory.path + "/r.sock");
  CHECK(exists(directory / "r.sock"));
  AdoptedWorker two(names, 1, jailed);
  CHECK(two.hears() == "ok");
  CHECK(two.hears() == "ok");
  CHECK(two.only_socket().address == "unix " + directory.path + "/jail/run/j.sock");
  CHECK(exists(directory / "jail/run/j.sock"));
  CHECK(std::filesystem::current_path() == before);
  CHECK(exists("/proc/self/status"));
}

TEST_CASE("a worker that closes its unix socket, unlinks the path and binds again gets a new one") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  AdoptedNames names;
  AdoptedWorker worker(names, 1, [path](const WorkerSide& test) {
    const int s = serve(at_path(path), path.c_str());
    test.say(outcome(s));
    // Somebody listens there.
    const int other = ::socket(AF_UNIX, SOCK_STREAM, 0);
    test.say(outcome(::bind(other, at_path(path).get(), at_path(path).length)));
    ::close(s);
    test.say(outcome(serve(at_path(path), path.c_str())));
    test.wait();
  });
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "EADDRINUSE");
  CHECK(worker.hears() == "ok");
  CHECK(worker.only_socket().listening);
  CHECK(connecting(at_path(path)) == 0);
}

TEST_CASE("other files are unlinked as ever, and a path that somebody else took is not removed") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const std::string other = directory / "other";
  AdoptedNames names;
  AdoptedWorker worker(names, 1, [&](const WorkerSide& test) {
    test.say(outcome(serve(at_path(path), path.c_str())));
    ::close(::open(other.c_str(), O_CREAT | O_WRONLY, 0600));
    test.say(outcome(::unlink(other.c_str())));
    test.say(outcome(::unlink(other.c_str())));
    test.say(outcome(::unlink(path.c_str())));
    test.wait();
  });
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ok");
  CHECK(worker.hears() == "ENOENT");
  CHECK(worker.hears() == "ok");
  CHECK_FALSE(exists(other));
  ::unlink(path.c_str());
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  worker.kill();
  worker.let_go();
  CHECK(exists(path));
}

TEST_CASE("workers of one generation share one unix socket") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  AdoptedNames names;
  AdoptedWorker one(names, 1, server(path));
  CHECK(one.hears() == "ok");
  AdoptedWorker two(names, 1, server(path));
  CHECK(two.hears() == "ok");
  CHECK(one.only_socket().inode == two.only_socket().inode);
  CHECK(two.only_socket().shared());
  one.kill();
  one.let_go();
  { const Fd client = send_to(path, "to whoever is left"); }
  CHECK(two.goes_and_says() == "to whoever is left");
}

TEST_CASE("an abstract name is one socket for all generations") {
  const std::string name = "@graced-test-" + std::to_string(::getpid());
  const auto body = [name](const WorkerSide& test) {
    const int s = serve(at_path(name), nullptr);
    test.say(outcome(s));
    test.wait();
    test.say(outcome(::accept(s, nullptr, nullptr)));
    test.wait();
  };
  AdoptedNames names;
  AdoptedWorker first(names, 1, body);
  CHECK(first.hears() == "ok");
  CHECK(first.only_socket().address == "unix " + name);
  AdoptedWorker second(names, 2, body);
  CHECK(second.hears() == "ok");
  CHECK(second.only_socket().shared());
  CHECK(second.only_socket().key == first.only_socket().key);
  first.kill();
  first.let_go();
  CHECK(connecting(at_path(name)) == 0);
  CHECK(second.goes_and_says() == "ok");
  second.kill();
  second.let_go();
  CHECK(connecting(at_path(name)) == ECONNREFUSED);
}

TEST_CASE("a path too long for a name beside it is handed over all the same") {
  const TempDirectory directory;
  std::string path = directory / "";
  path += std::string(107 - path.size(), 'x');
  AdoptedNames names;
  AdoptedWorker first(names, 1, server(path));
  CHECK(first.hears() == "ok");
  names.promote(1);
  AdoptedWorker second(names, 2, server(path));
  CHECK(second.hears() == "ok");
  CHECK(names.promote(2).empty());
  { const Fd client = send_to(path, "to the second"); }
  CHECK(second.goes_and_says() == "to the second");
}

TEST_CASE("a worker that binds a pre-declared path or abstract name gets graced's own socket") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const std::string name = "@graced-test-declared-" + std::to_string(::getpid());
  std::vector<Fd> ours;
  std::vector<Adoption::Predeclared> declared;
  for (const std::string& where : {path, name}) {
    ours.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(ours.back().get(), at_path(where).get(), at_path(where).length) == 0);
    REQUIRE(::listen(ours.back().get(), 8) == 0);
    declared.push_back({group_key(ours.back().get()), ours.back().get()});
    CHECK(connecting(at_path(where)) == 0);
  }
  AdoptedNames names;
  AdoptedWorker worker(names, 1,
                       [&](const WorkerSide& test) {
                         for (const std::string& where : {path, name}) {
                           const int s = serve(at_path(where), nullptr);
                           test.say(outcome(s));
                           test.say(outcome(::accept(s, nullptr, nullptr)));
                         }
                         test.wait();
                       },
                       {.predeclared = declared});
  for (int i = 0; i < 4; ++i) CHECK(worker.hears() == "ok");
  REQUIRE(worker.adoption().sockets().size() == 2);
  CHECK(worker.adoption().sockets()[0].address == "unix " + path);
  CHECK(worker.adoption().sockets()[1].address == "unix " + name);
  CHECK(worker.adoption().sockets()[0].predeclared);
  CHECK(worker.adoption().sockets()[1].predeclared);
}
