// What a service manager is told to keep, with a socket in its place.
#include "linux/manager/fd_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include "linux/base/inode.h"
#include "linux/manager/unit_state.h"
#include "linux/sockets/listener.h"
#include "notify_listener.h"

using namespace graced;

namespace {

ino_t socket_of(int fd) {
  const ino_t inode = inode_of(fd);
  REQUIRE(inode != 0);
  return inode;
}

Fd listening() {
  return Fd(::fcntl(open_listeners(parse_listen_spec("127.0.0.1:0")).front()->fd(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace

TEST_CASE("the manager is given each descriptor once, and told when one is not needed any more") {
  NotifyListener manager;
  ServiceManager service_manager = manager.client();
  FdStore store(service_manager, {}, true);
  const Fd a = listening();
  const Fd b = listening();

  store.hold("graced.x.", {{"graced.x.a", a.get()}, {"graced.x.b", b.get()}});
  const auto first = manager.hears();
  REQUIRE(first);
  CHECK(first->text == "FDSTORE=1\nFDPOLL=0\nFDNAME=graced.x.a\n");
  CHECK(socket_of(first->fd.get()) == socket_of(a.get()));
  CHECK(manager.hears()->text == "FDSTORE=1\nFDPOLL=0\nFDNAME=graced.x.b\n");

  store.hold("graced.x.", {{"graced.x.b", b.get()}});
  CHECK(manager.hears()->text == "FDSTOREREMOVE=1\nFDNAME=graced.x.a\n");
  CHECK_FALSE(manager.hears());

  // Another socket under a name that is taken.
  store.hold("graced.x.", {{"graced.x.b", a.get()}});
  CHECK(manager.hears()->text == "FDSTOREREMOVE=1\nFDNAME=graced.x.b\n");
  CHECK(socket_of(manager.hears()->fd.get()) == socket_of(a.get()));
  CHECK_FALSE(manager.hears());
}

TEST_CASE("what was restored is not sent again, and each family is left to those who know it") {
  NotifyListener manager;
  ServiceManager service_manager = manager.client();
  std::vector<StoredDescriptor> restored;
  restored.push_back({"graced.x.a", listening()});
  restored.push_back({"graced.y.b", listening()});
  const ino_t inode = socket_of(restored.front().fd.get());
  FdStore store(service_manager, std::move(restored), true);

  const auto taken = store.take("graced.x.");
  REQUIRE(taken.size() == 1);
  CHECK(socket_of(taken.front().fd.get()) == inode);
  CHECK(store.take("graced.x.").empty());
  store.hold("graced.x.", {{"graced.x.a", taken.front().fd.get()}});
  CHECK_FALSE(manager.hears());
  store.hold("graced.x.", {});
  CHECK(manager.hears()->text == "FDSTOREREMOVE=1\nFDNAME=graced.x.a\n");
  CHECK_FALSE(manager.hears());
}

TEST_CASE("without a manager nothing is stored") {
  ServiceManager nobody({});
  FdStore store(nobody, {}, true);
  store.keep("graced.x.a", 0);
  store.settle();
  CHECK_FALSE(nobody.behind());
}

TEST_CASE("a restored socket is what its spec asks for, or nothing") {
  const TempDirectory directory;
  const auto restored = [](const Listener& from, const std::string& listen) {
    return Listener::restored(parse_listen_spec(listen), Fd(::fcntl(from.fd(), F_DUPFD_CLOEXEC, 0)),
                              from.file());
  };
  const auto on = [](int fd, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
    return value;
  };

  const auto tcp = open_listeners(parse_listen_spec("127.0.0.1:0,keep-alive,nonblock")).front();
  CHECK(restored(*tcp, "udp:127.0.0.1:0") == nullptr);
  const auto plain = restored(*tcp, "127.0.0.1:0");
  REQUIRE(plain);
  CHECK(plain->address() == tcp->address());
  CHECK(on(plain->fd(), SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK((::fcntl(plain->fd(), F_GETFL) & O_NONBLOCK) == 0);

  const std::string path = directory.path + "/s";
  auto unix_socket = open_listeners(parse_listen_spec("unix:" + path)).front();
  CHECK(restored(*unix_socket, "unix:" + path + ",mode=0600") != nullptr);  // and its file goes with it here
  CHECK(restored(*unix_socket, "unix:" + path) == nullptr);
}

TEST_CASE("who follows is given the sockets: after a restart always, after a failure if systemd tries again") {
  CHECK(is_followed({1, "restart", "no"}, 0));
  CHECK(is_followed({1, "try-restart", "no"}, 0));
  CHECK_FALSE(is_followed({1, "stop", "always"}, 0));
  CHECK_FALSE(is_followed({1, "stop", "on-failure"}, 1));
  CHECK_FALSE(is_followed({1, "", "on-failure"}, 0));
  CHECK(is_followed({1, "", "on-failure"}, 1));
  CHECK(is_followed({1, "", "always"}, 0));
  CHECK_FALSE(is_followed({1, "", "no"}, 1));
  CHECK_FALSE(is_followed({0, "restart", "always"}, 0));  // nothing is kept
}

TEST_CASE("a store is counted on where systemd says or is known to have one, and nowhere else") {
  CHECK(FdStore::is_offered("16", "/run/anything"));
  CHECK(!FdStore::is_offered("0", "/run/systemd/notify"));
  CHECK(FdStore::is_offered("", "/run/systemd/notify"));  // before 254 it does not say
  CHECK(FdStore::is_offered("", "/run/user/1000/systemd/notify"));
  CHECK(!FdStore::is_offered("", "/run/podman/notify.sock"));
  CHECK(!FdStore::is_offered("", ""));
}
