// Servers that bind a unix socket elsewhere and put it in its place by rename(2) or link(2).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "adoption_story.h"
#include "as_root.h"
#include "linux/adoption/adoption.h"
#include "linux/base/unix_address.h"
#include "temp_directory.h"

using namespace graced;

namespace {

enum class How { rename, before_listen, renameat, noreplace, exchange, link, by_mv };

ino_t inode_at(const std::string& path) {
  struct stat s {};
  return ::lstat(path.c_str(), &s) == 0 ? s.st_ino : 0;
}

long put(How how, const std::string& from, const std::string& to) {
  const char* f = from.c_str();
  const char* t = to.c_str();
  switch (how) {
    case How::rename:
    case How::before_listen:
      return ::rename(f, t);
    case How::renameat: {
      const std::size_t slash = to.rfind('/');
      const int directory = ::open(to.substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY);
      return ::renameat(directory, f + slash + 1, directory, t + slash + 1);
    }
    case How::noreplace:
      return ::renameat2(AT_FDCWD, f, AT_FDCWD, t, RENAME_NOREPLACE);
    case How::exchange:
      // There is something to exchange it with from the second generation on.
      return inode_at(to) == 0 ? ::rename(f, t) : ::renameat2(AT_FDCWD, f, AT_FDCWD, t, RENAME_EXCHANGE);
    case How::link:
      ::unlink(t);
      if (::link(f, t) != 0) return -1;
      return ::unlink(f);
    case How::by_mv:
      return ::system(("mv " + from + " " + to).c_str());
  }
  return -1;
}

// Says how it went, what its socket is called and what it finds at the path; then accepts when told and says
// what it read; then removes the path.
AdoptedWorker::Body server(const std::string& path, How how, const std::string& temporary) {
  return [=](const WorkerSide& test) {
    const std::string bound = path + temporary;
    const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
    long result = ::bind(s, at_path(bound).get(), at_path(bound).length);
    if (result == 0) result = ::chmod(bound.c_str(), 0640);
    if (result == 0 && how != How::before_listen) result = ::listen(s, 16);
    if (result == 0) result = put(how, bound, path);
    if (result == 0 && how == How::before_listen) result = ::listen(s, 16);
    test.say(outcome(result));
    Where name;
    name.length = sizeof name.storage;
    ::getsockname(s, reinterpret_cast<sockaddr*>(&name.storage), &name.length);
    const std::string called(unix_name(reinterpret_cast<const sockaddr*>(&name.storage), name.length));
    struct stat found {};
    const bool there = ::stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
    test.say(called == bound && there ? "as it should be" : "called " + called);
    test.wait();
    const int connection = ::accept(s, nullptr, nullptr);
    char text[64] = {};
    const ssize_t n = ::read(connection, text, sizeof text - 1);
    test.say(n >= 0 ? text : "nothing");
    test.wait();
    ::unlink(path.c_str());
    test.say("unlinked");
    test.wait();
  };
}

void send_to(const std::string& path, const std::string& text) {
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), at_path(path).get(), at_path(path).length) == 0);
  REQUIRE(::write(client.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

struct stat stat_of(const std::string& path) {
  struct stat s {};
  REQUIRE(::lstat(path.c_str(), &s) == 0);
  return s;
}

}  // namespace

TEST_CASE(
    "a socket that is bound elsewhere and renamed or linked to its path is handed from generation to "
    "generation") {
  for (const How how :
       {How::rename, How::before_listen, How::renameat, How::noreplace, How::exchange, How::link, How::by_mv}) {
    CAPTURE(static_cast<int>(how));
    const TempDirectory directory;
    const std::string path = directory / "a.sock";
    AdoptedNames names;
    AdoptedWorker first(names, 1, server(path, how, ".1.tmp"));
    CHECK(first.hears() == "ok");
    CHECK(first.hears() == "as it should be");
    CHECK(names.promote(1).empty());
    CHECK(first.only_socket().key == "unix " + path);
    CHECK(first.only_socket().address == "unix " + path);
    const ino_t of_first = inode_at(path);

    {
      AdoptedWorker failing(names, 2, server(path, how, ".2.tmp"));
      CHECK(failing.hears() == "ok");
    }
    CHECK(inode_at(path) == of_first);
    CHECK(connecting(at_path(path)) == 0);

    AdoptedWorker second(names, 3, server(path, how, ".3.tmp"));
    CHECK(second.hears() == "ok");
    CHECK(second.hears() == "as it should be");
    CHECK(second.only_socket().key == first.only_socket().key);
    CHECK(inode_at(path) == of_first);
    ::chmod(path.c_str(), 0640);  // nothing that is new
    CHECK(names.promote(3).empty());
    CHECK(inode_at(path) != of_first);
    CHECK((stat_of(path).st_mode & 07777) == 0640);
    send_to(path, "to the second");
    CHECK(second.goes_and_says() == "to the second");

    // The old one's queue has the connection that was only tried.
    CHECK(first.goes_and_says().empty());
    CHECK(first.goes_and_says() == "unlinked");
    CHECK(connecting(at_path(path)) == 0);
    first.kill();
    first.let_go();
    CHECK(connecting(at_path(path)) == 0);
    second.kill();
    second.let_go();
    ::unlink((path + ".2.tmp").c_str());  // exchange: what the workers found there then
    ::unlink((path + ".3.tmp").c_str());
    CHECK(directory.empty());
  }
}

TEST_CASE(
    "a fixed temporary name serves every generation, and a serving worker may put a new socket in place") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  AdoptedNames names;
  AdoptedWorker first(names, 1, server(path, How::rename, ".tmp"));
  CHECK(first.hears() == "ok");
  names.promote(1);
  AdoptedWorker replacement(names, 1, server(path, How::rename, ".tmp"));
  CHECK(replacement.hears() == "ok");
  send_to(path, "to the newest");
  CHECK(replacement.hears() == "as it should be");
  CHECK(replacement.goes_and_says() == "to the newest");
  AdoptedWorker second(names, 2, server(path, How::rename, ".tmp"));
  CHECK(second.hears() == "ok");
  CHECK(names.promote(2).empty());
  send_to(path, "to the second");
  CHECK(second.hears() == "as it should be");
  CHECK(second.goes_and_says() == "to the second");
}

TEST_CASE(
    "a candidate that moves the served path away finds it at both names, and the old one is still reached") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const std::string away = directory / "a.sock.old";
  AdoptedNames names;
  AdoptedWorker first(names, 1, server(path, How::rename, ".1.tmp"));
  CHECK(first.hears() == "ok");
  CHECK(first.hears() == "as it should be");
  names.promote(1);
  AdoptedWorker second(names, 2, [&](const WorkerSide& test) {
    test.say(outcome(::rename(path.c_str(), away.c_str())));
    test.say(outcome(::rename(path.c_str(), away.c_str())));
    const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
    long result = ::bind(s, at_path(path).get(), at_path(path).length);
    if (result == 0) result = ::listen(s, 16);
    test.say(outcome(result));
    test.say(outcome(::unlink(away.c_str())));
    test.wait();
  });
  for (int i = 0; i < 4; ++i) CHECK(second.hears() == "ok");
  CHECK(inode_at(away) == 0);
  send_to(path, "still here");
  CHECK(first.goes_and_says() == "still here");
  CHECK(names.promote(2).empty());
  CHECK(inode_at(path) == second.only_socket().name->file_found.inode);
}

TEST_CASE("other files are renamed and linked as ever, with the kernel's own answers") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  AdoptedNames names;
  AdoptedWorker worker(names, 1, [&](const WorkerSide& test) {
    const std::string one = directory / "one";
    const std::string two = directory / "two";
    const std::string bound = path + ".tmp";
    ::close(::open(one.c_str(), O_CREAT | O_WRONLY, 0600));
    const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
    test.say(outcome(::bind(s, at_path(bound).get(), at_path(bound).length)));
    test.say(outcome(::rename(one.c_str(), two.c_str())));
    test.say(outcome(::link(two.c_str(), one.c_str())));
    test.say(outcome(::link(two.c_str(), one.c_str())));
    test.say(outcome(::renameat2(AT_FDCWD, bound.c_str(), AT_FDCWD, one.c_str(), RENAME_NOREPLACE)));
    test.say(outcome(::rename(bound.c_str(), (directory / "no/such").c_str())));
    test.say(outcome(::rename((directory / "missing").c_str(), bound.c_str())));
    test.say(outcome(::rename(bound.c_str(), bound.c_str())));
    test.say(outcome(::rename(bound.c_str(), reinterpret_cast<const char*>(16))));
    test.say(outcome(::link(bound.c_str(), path.c_str())));
    test.say(outcome(::link(bound.c_str(), path.c_str())));
    test.wait();
  });
  for (const char* expected :
       {"ok", "ok", "ok", "EEXIST", "EEXIST", "ENOENT", "ENOENT", "ok", "EFAULT", "ok", "EEXIST"}) {
    CHECK(worker.hears() == expected);
  }
  CHECK(inode_at(path) == inode_at(path + ".tmp"));
  worker.kill();
  worker.let_go();
  CHECK(inode_at(path) == 0);
  CHECK(inode_at(path + ".tmp") == 0);
}

TEST_CASE("a socket is renamed with the worker's rights, in the worker's own root") {
  if (!as_root("to become another user, and chroot")) return;
  const TempDirectory directory;
  ::chmod(directory.path.c_str(), 0755);
  for (const char* name : {"open", "closed"}) ::mkdir((directory / name).c_str(), 0755);
  ::chmod((directory / "open").c_str(), 0777);
  AdoptedNames names;
  AdoptedWorker worker(names, 1,
                       [&](const WorkerSide& test) {
                         const std::string bound = directory / "open/a.tmp";
                         const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
                         test.say(outcome(::bind(s, at_path(bound).get(), at_path(bound).length)));
                         test.say(outcome(::rename(bound.c_str(), (directory / "closed/a").c_str())));
                         test.say(outcome(::link(bound.c_str(), (directory / "closed/a").c_str())));
                         test.say(outcome(::rename(bound.c_str(), (directory / "open/a").c_str())));
                         test.wait();
                       },
                       {.user = 65534});
  for (const char* expected : {"ok", "EACCES", "EACCES", "ok"}) CHECK(worker.hears() == expected);
  CHECK(worker.only_socket().address == "unix " + (directory / "open/a"));
  AdoptedWorker jailed(names, 1, [&](const WorkerSide& test) {
    if (::chroot((directory / "open").c_str()) != 0 || ::chdir("/") != 0) test.say("chroot");
    const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
    test.say(outcome(::bind(s, at_path("j.tmp").get(), at_path("j.tmp").length)));
    test.say(outcome(::rename("/j.tmp", "../j")));
    test.wait();
  });
  CHECK(jailed.hears() == "ok");
  CHECK(jailed.hears() == "ok");
  CHECK(jailed.only_socket().address == "unix " + (directory / "open/j"));
}
