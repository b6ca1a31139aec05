// A client of the control socket that says anything: first byte even: after the greeting, odd: instead of it.
// The server is the real one, on a socket without a name; what it asks of graced is only counted.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "fuzz.h"
#include "linux/base/fd.h"
#include "linux/control/control_server.h"
#include "linux/event/loop.h"

namespace {

using namespace graced;

class Asked : public ControlHandler {
 public:
  ControlServer* server = nullptr;

  void reload(RequestId by) override { server->answer(by, false, 0, "no"); }
  void stop(RequestId by) override { server->answer(by, true, 0, ""); }
  void reload_until_settled(RequestId by) override { server->answer(by, false, 0, "no"); }
  RollbackOutcome rollback(pid_t, uid_t) override { return {3, 2, ""}; }
  Aborted abort(pid_t, uid_t) override { return {2, true}; }
  unsigned hammer() override { return 1; }
  void upgrade(RequestId by, UpgradeRequest) override { server->upgrade_ended(by, false, "1", "", "no"); }
  Subscribed subscribed() const override { return {"shop", 2}; }
  InstanceReport report() override {
    InstanceReport report;
    report.workers.push_back({1, 0, 5, "ready", 1s, std::nullopt, "status", {"line"}});
    report.addresses.push_back({"http", "tcp [::]:80"});
    return report;
  }
  std::vector<InstanceEvent> history(std::size_t) override {
    return {{.kind = InstanceEvent::Kind::crashed,
             .generation = 1,
             .worker = 0,
             .status = 3,
             .reason = "exited with status 3\nline"}};
  }
  EventsSince events_since(Instant) override { return {false, history(1)}; }
  LogPage log_page(std::uint64_t from) override {
    if (from > 1) return {.place = LogPlace::kept, .next = 2};
    return {.place = LogPlace::kept,
            .next = 2,
            .lines = {{.number = 1, .by = {.generation = 1}, .said = {"line"}}}};
  }
  void control_failed(std::exception_ptr) noexcept override {
    fuzz::promise(false, "nothing a client says makes graced throw");
  }
};

class Server {
 public:
  Server() {
    Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    address_.sun_family = AF_UNIX;  // no name given: the kernel finds an abstract one
    fuzz::promise(::bind(listening.get(), address(), sizeof(sa_family_t)) == 0, "bind");
    length_ = sizeof address_;
    fuzz::promise(::getsockname(listening.get(), address(), &length_) == 0, "getsockname");
    fuzz::promise(::listen(listening.get(), 64) == 0, "listen");
    server_ = std::make_unique<ControlServer>(std::move(listening), asked_);
    server_->attend(loop_);
    asked_.server = server_.get();
  }

  Fd connect() {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    fuzz::promise(::connect(client.get(), address(), length_) == 0, "graced accepts");
    return client;
  }

  void work() {
    while (graced::sd_event_run(loop_.event(), 0) > 0) {}
  }

 private:
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&address_); }

  Loop loop_;
  sockaddr_un address_{};
  socklen_t length_ = 0;
  Asked asked_;
  std::unique_ptr<ControlServer> server_;
};

// False: graced has hung up.
bool read_all(int socket) {
  char part[65536];
  for (;;) {
    const ssize_t n = ::recv(socket, part, sizeof part, MSG_DONTWAIT);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server& server = *new Server;  // never taken down: others' statics might be gone by then
  if (size == 0) return 0;
  std::string said;
  if (data[0] % 2 == 0) {
    const std::string uid = std::to_string(::geteuid());
    std::string hex;
    for (const char digit : uid) hex += {'3', digit};
    said = std::string(1, '\0') + "AUTH EXTERNAL " + hex + "\r\nBEGIN\r\n";
  }
  said += fuzz::text_of(data + 1, size - 1);

  Fd client = server.connect();
  for (std::string_view rest = said; !rest.empty();) {
    const ssize_t n = ::send(client.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
    server.work();
    if (!read_all(client.get()) || (n < 0 && errno != EAGAIN)) break;
  }
  server.work();
  read_all(client.get());
  client.reset();
  server.work();
  return 0;
}
