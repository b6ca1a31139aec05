// What one image of a process hands to the next, taken over in the same process: nothing is made, bound or
// locked again, and at the end what belongs to it is removed.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "in_child.h"
#include "kept/place_members.h"
#include "linux/base/file_id.h"
#include "linux/base/unix_address.h"
#include "linux/control/kept_instance.h"
#include "linux/manager/fd_store.h"
#include "linux/manager/service_manager.h"
#include "linux/self/pid_file.h"
#include "linux/sockets/listener.h"
#include "linux/worker/notify_socket.h"
#include "linux/worker/starting_place.h"
#include "never_destroyed.h"
#include "notify_listener.h"
#include "temp_directory.h"
#include "through_state.h"

namespace graced {
namespace {

std::string tried(const auto& body) {
  return in_child([&] {
    body();
    return std::string("nobody has it");
  });
}

TEST_CASE("a pid file that is taken over stays locked, and goes at the end") {
  const TempDirectory d;
  const std::string path = d / "a.pid";
  const std::string said = in_child([&] {
    const auto kept = before<PidFile>(path).kept();
    std::string others;
    {
      const PidFile after(kept);
      others = tried([&] { const PidFile second(path); });
    }
    return others + (std::filesystem::exists(path) ? ", left" : ", gone");
  });
  CHECK(said.find("another graced that runs has it (PID ") != std::string::npos);
  CHECK(said.ends_with(", gone"));
}

TEST_CASE(
    "the place of an instance that is taken over is nobody else's, its clients wait, and all goes at the end") {
  const TempDirectory d;
  const std::string control = d / "graced/shop/control";
  const std::string said = in_child([&] {
    auto& first = before<Instance>("shop", control);
    Fd listening = first.take_control_socket();
    const FileId socket = file_id(control.c_str());
    std::string text;
    {
      const Instance after(first.kept());
      text = tried([&] { const Instance second("shop", control); });
      text += file_id(control.c_str()) == socket ? ", the same socket" : ", another socket";
      text += after.control_path() == control ? ", the same path" : ", another path";
      const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto address = unix_path_address(control);
      const bool connected = ::connect(client.get(), address->get(), address->length) == 0;
      text += connected ? ", connected" : ", refused";
      listening.reset();
    }
    return text + (d.empty() ? ", all gone" : ", something left");
  });
  CHECK(said.find("another graced named 'shop' is running (PID ") == 0);
  CHECK(said.ends_with(", the same socket, the same path, connected, all gone"));
}

TEST_CASE("what workers said to a notify socket before it was taken over is heard after") {
  const TempDirectory d;
  const std::string path = d / "notify";
  CHECK(in_child([&] {
          auto& first = before<NotifySocket>(path);
          const Fd worker(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
          const auto address = unix_path_address(path);
          if (::connect(worker.get(), address->get(), address->length) != 0) return std::string("connect");
          if (::send(worker.get(), "READY=1", 7, 0) != 7) return std::string("send");
          std::string text;
          {
            NotifySocket after(first.kept());
            (void)!::send(worker.get(), "STATUS=x", 8, 0);
            for (int i = 0; i < 2; ++i) {
              const auto said = after.receive();
              text += said && said->sender == ::getpid() ? said->text + ", " : "nothing, ";
            }
          }
          return text + (d.empty() ? "gone" : "left");
        }) == "READY=1, STATUS=x, gone");
}

TEST_CASE("the directory that graced was started in is found again by its name, or is still held") {
  const TempDirectory d;
  std::filesystem::create_directory(d / "release-1");
  std::filesystem::create_directory_symlink(d / "release-1", d / "current");
  CHECK(in_child([&] {
          std::filesystem::current_path(d / "release-1");
          const StartingPlace named(before<StartingPlace>(d / "current").kept());
          const StartingPlace nameless(before<StartingPlace>("").kept());
          std::filesystem::create_directory(d / "release-2");
          std::filesystem::remove(d / "current");
          std::filesystem::create_directory_symlink(d / "release-2", d / "current");
          const bool follows = file_id(named.again().get()) == file_id((d / "release-2").c_str());
          const bool holds = file_id(nameless.again().get()) == file_id((d / "release-1").c_str());
          return std::string(follows && holds ? "both" : "not so");
        }) == "both");
}

// As before<>, for what is shared.
std::shared_ptr<Listener> taken_over(const std::shared_ptr<Listener>& listener) {
  before<std::shared_ptr<Listener>>(listener);
  return std::make_shared<Listener>(listener->kept());
}

bool reaches(const std::string& path) {
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = unix_path_address(path);
  return ::connect(client.get(), address->get(), address->length) == 0;
}

TEST_CASE("a unix socket that is taken over is where it was, has its spare name, and goes at the end") {
  const TempDirectory d;
  const std::string path = d / "a.sock";
  CHECK(in_child([&] {
          auto first = open_listeners(parse_listen_spec("unix:" + path)).front();
          if (first->keep_spare_path(d / "paths") != 0) return std::string("no spare name");
          auto next = taken_over(first);
          std::string text =
              next->address() == "unix " + path && next->inode() == first->inode() ? "same" : "other";
          text += reaches(path) ? ", reached" : ", refused";
          std::filesystem::remove(path);
          text += next->lost_its_path() ? ", lost" : ", kept";
          text += next->path().put_back() == 0 && reaches(path) ? ", reached" : ", refused";
          next.reset();
          return text + (d.empty() ? ", gone" : ", left");
        }) == "same, reached, kept, reached, gone");
}

TEST_CASE("a unix socket that nobody reaches yet can be shown by the one that takes it over") {
  const TempDirectory d;
  const std::string path = d / "a.sock";
  CHECK(in_child([&] {
          const Opening hidden{.hidden = true, .spare_place = d / "paths"};
          auto next = taken_over(open_listeners(parse_listen_spec("unix:" + path), hidden).front());
          std::string text = reaches(path) ? "reached" : "refused";
          next->show();
          text += reaches(path) ? ", reached" : ", refused";
          next.reset();
          return text + (d.empty() ? ", gone" : ", left");
        }) == "refused, reached, gone");
}

TEST_CASE("a tcp socket that is taken over has its address, key and queue, also while it is hidden") {
  CHECK(in_child([&] {
          const Opening hidden{.share = true, .hidden = true};
          const auto first = open_listeners(parse_listen_spec("127.0.0.1:0,backlog=7"), hidden).front();
          const auto next = taken_over(first);
          const bool same = next->address() == first->address() && next->key() == first->key() &&
                            next->kind() == AddressKind::tcp && next->made_by_graced() && next->hidden();
          next->show();
          return std::string(same && !next->hidden() && can_be_switched(*next) ? "same" : "other");
        }) == "same");
}

TEST_CASE("the manager is not told again what it was told before, and keeps what it has") {
  NotifyListener manager;
  const ServiceManagerNews news{Phase::serving, "serves", std::nullopt};
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Instant now{1h};

  ServiceManager first = manager.client();
  FdStore store(first, std::vector<StoredDescriptor>{}, true);
  first.tell(news, now);
  store.keep("graced.a", socket.get());
  CHECK(manager.heard() == "READY=1\nSTATUS=serves\nFDSTORE=1\nFDPOLL=0\nFDNAME=graced.a\n");

  ServiceManager next(manager.variables(), first.kept());
  FdStore held(next, true, store.kept());
  next.tell(news, now);
  held.keep("graced.a", socket.get());
  CHECK(manager.heard().empty());
  next.tell({Phase::serving, "serves 2", std::nullopt}, now);
  held.hold("graced.", {});
  CHECK(manager.heard() == "STATUS=serves 2\nFDSTOREREMOVE=1\nFDNAME=graced.a\n");
}

TEST_CASE("what waits for a manager that does not read waits on in the next image, with its descriptor") {
  NotifyListener manager;
  ServiceManager& first = before<ServiceManager>(manager.variables());
  int sent = 0;
  while (!first.behind()) first.send(std::to_string(sent++));
  first.send_descriptor("FDSTORE=1", Fd(::dup(manager.fd())));

  ServiceManager next(manager.variables(), through_state(first.kept()));
  for (int i = 0; i < sent; ++i) {
    const auto told = manager.hears();
    REQUIRE(told);
    CHECK(told->text == std::to_string(i));
    next.flush();
  }
  CHECK(!next.behind());
  const auto last = manager.hears();
  REQUIRE(last);
  REQUIRE(last->fd);
  CHECK(file_id(last->fd.get()) == file_id(manager.fd()));
}

}  // namespace
}  // namespace graced
