// Clients of the control socket that do not behave: they cost themselves the connection, and others nothing.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "as_root.h"
#include "control_story.h"
#include "linux/base/unix_address.h"
#include "linux/control/control_client.h"
#include "temp_directory.h"

using namespace graced;

namespace {

// Bytes, and nothing between us and the socket.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const UnixAddress address = unix_path_address(path).value();
    if (::connect(socket_.get(), address.get(), address.length) != 0) socket_.reset();
  }

  explicit operator bool() const { return bool{socket_}; }

  void authenticate() {
    const std::string uid = std::to_string(::geteuid());
    std::string hex;
    for (const char digit : uid) hex += {'3', digit};
    send(std::string(1, '\0') + "AUTH EXTERNAL " + hex + "\r\nBEGIN\r\n");
    std::string said;
    while (said.find("\r\n") == std::string::npos) said += next();
    REQUIRE(said.starts_with("OK "));
  }

  // False: the other end hung up.
  bool send(const std::string& bytes) {
    return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // As much as goes without waiting; 0 when it would have to wait.
  ssize_t send_some(const std::string& bytes) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN ? 0 : n;
  }

  char next() {
    char c = 0;
    REQUIRE(readable());
    REQUIRE(::read(socket_.get(), &c, 1) == 1);
    return c;
  }

  bool readable() {
    pollfd watched{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, 20'000) == 1;
  }

  void take_no_more() { ::shutdown(socket_.get(), SHUT_RD); }

  bool has_ended() {
    char c = 0;
    return ::recv(socket_.get(), &c, 1, MSG_PEEK) == 0;
  }

  bool is_hung_up_on() {
    char rest[4096];
    for (;;) {
      if (!readable()) return false;
      if (::recv(socket_.get(), rest, sizeof rest, 0) <= 0) return true;
    }
  }

 private:
  Fd socket_;
};

void put(std::string& to, std::uint32_t number) {
  char bytes[4];
  std::memcpy(bytes, &number, sizeof bytes);  // in the byte order of this machine, as the header will say
  to.append(bytes, sizeof bytes);
}

// A method call in D-Bus's own bytes, without arguments; body_length may lie.
std::string method_call(const std::string& interface, const std::string& member,
                        std::uint32_t body_length = 0) {
  std::string fields;
  const auto field = [&](char code, char type, const std::string& text) {
    fields.resize((fields.size() + 7) / 8 * 8);
    fields += {code, 1, type, 0};
    put(fields, static_cast<std::uint32_t>(text.size()));
    fields += text + '\0';
  };
  field(1, 'o', "/org/graced/Supervisor1");
  field(2, 's', interface);
  field(3, 's', member);

  std::string message{__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B', 1, 0, 1};
  put(message, body_length);
  put(message, 1);  // serial
  put(message, static_cast<std::uint32_t>(fields.size()));
  message += fields;
  message.resize((message.size() + 7) / 8 * 8);
  return message;
}

std::size_t open_descriptors(pid_t pid) {
  const std::filesystem::directory_iterator entries{"/proc/" + std::to_string(pid) + "/fd"};
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// A sanitizer keeps what was freed: then memory says nothing.
#ifdef __SANITIZE_ADDRESS__
constexpr long allowed_growth = 4'000'000;
#else
constexpr long allowed_growth = 4096;
#endif

long resident_kilobytes(pid_t pid) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      long kilobytes = 0;
      status >> kilobytes;
      return kilobytes;
    }
  return -1;
}

bool serves(const std::string& control) {
  InstanceReport report;
  return ControlClient{control}.report(report).outcome == ControlOutcome::ok;
}

}  // namespace

TEST_CASE("garbage is hung up on") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, 'x'),
                                   std::string(1, '\0') + std::string(100'000, 'x')}) {
    RawClient client{temp / "control"};
    client.send(bytes);
    CHECK(client.is_hung_up_on());
  }
  RawClient client{temp / "control"};
  client.authenticate();
  client.send(std::string(64, '\xff'));
  CHECK(client.is_hung_up_on());
  CHECK(serves(temp / "control"));
}

TEST_CASE("who cannot be told what happens costs no more while a forked process has its connection still") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  {
    RawClient client{temp / "control"};
    client.authenticate();
    client.send(method_call("org.freedesktop.DBus.Peer", "Ping"));
    REQUIRE(client.readable());
    client.take_no_more();
    graced.does("fork");
    graced.does("phase serving");
    CHECK(serves(temp / "control"));
  }
  CHECK(serves(temp / "control"));
  CHECK(graced.quit() == 0);
}

TEST_CASE("who connects and does not say who it is has a limit, who has said so has none") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control", {}, 50ms};
  RawClient quiet{temp / "control"};
  RawClient polite{temp / "control"};
  polite.authenticate();
  RawClient slow{temp / "control"};
  slow.send(std::string(1, '\0') + "AUTH");
  CHECK(quiet.is_hung_up_on());
  CHECK(slow.is_hung_up_on());
  REQUIRE(polite.send(method_call("org.freedesktop.DBus.Peer", "Ping")));
  CHECK(polite.readable());
  CHECK_FALSE(polite.has_ended());
}

TEST_CASE("a message that does not end is not collected") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  RawClient client{temp / "control"};
  client.authenticate();
  const long before = resident_kilobytes(graced.pid());
  bool hung_up = !client.send(method_call("org.graced.Supervisor1", "Hammer", 100 << 20));
  const std::string part(1 << 16, 'x');
  int sent = 0;
  for (; !hung_up && sent < 64; ++sent) hung_up = !client.send(part);
  CHECK(hung_up);
  CHECK(resident_kilobytes(graced.pid()) - before < allowed_growth);
  CHECK(serves(temp / "control"));
}

TEST_CASE("a client that asks and never reads is not answered for ever") {
  TempDirectory temp;
  InstanceReport big;
  big.workers.assign(64,
                     {1, 0, 5, "ready", 1s, std::nullopt, std::string(500, 's'), {20, std::string(100, 'x')}});
  ControlStory graced{"shop", temp / "control", big};
  RawClient client{temp / "control"};
  client.authenticate();
  const long before = resident_kilobytes(graced.pid());
  const std::string call = method_call("org.freedesktop.DBus.Introspectable", "Introspect");
  std::size_t asked = 0;
  // Until nothing more is taken from us although others, who take turns with us, were served twice since.
  int others_served = 0;
  while (asked < 1'000'000 && others_served < 2) {
    const ssize_t n = client.send_some(call);
    if (n == static_cast<ssize_t>(call.size())) {
      ++asked;
      others_served = 0;
    } else if (n == 0) {
      REQUIRE(serves(temp / "control"));
      ++others_served;
    } else {
      break;  // hung up on, or only a part went: the next one would begin in its middle
    }
  }
  CHECK(asked > 10);
  CHECK(asked < 1'000'000);
  CHECK(resident_kilobytes(graced.pid()) - before < allowed_growth);
  CHECK(serves(temp / "control"));
}

TEST_CASE("the answer to its Hello is the first thing that a client made for buses is told") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  RawClient client{temp / "control"};
  client.authenticate();
  graced.does("phase reloading");
  client.send(method_call("org.freedesktop.DBus", "Hello"));
  client.next();  // the byte order
  CHECK(client.next() == SD_BUS_MESSAGE_METHOD_RETURN);
}

TEST_CASE("signals that a client does not read are not kept for ever") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  RawClient client{temp / "control"};
  client.authenticate();
  client.send(method_call("org.freedesktop.DBus.Peer", "Ping"));
  REQUIRE(client.readable());
  const std::string name(3000, 'p');
  const long before = resident_kilobytes(graced.pid());
  for (int i = 0; i < 2000; ++i) graced.does("phase " + name);
  CHECK(resident_kilobytes(graced.pid()) - before < allowed_growth);
  CHECK(client.is_hung_up_on());
  CHECK(serves(temp / "control"));
}

TEST_CASE("a thousand clients leave no descriptor behind, however they leave") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  REQUIRE(serves(temp / "control"));
  graced.does("phase serving");
  const std::size_t before = open_descriptors(graced.pid());
  for (int i = 0; i < 250; ++i) {
    REQUIRE(serves(temp / "control"));
    RawClient silent{temp / "control"};
    RawClient rude{temp / "control"};
    rude.send("no dbus");
    RawClient sudden{temp / "control"};
    sudden.authenticate();
    sudden.send(method_call("org.graced.Supervisor1", "Stop", 4).substr(0, 50));
  }
  // What has hung up is seen before the command that comes after it: the loop takes its turns in order.
  REQUIRE(serves(temp / "control"));
  std::size_t after = open_descriptors(graced.pid());
  for (int i = 0; i < 100 && after > before; ++i) {
    graced.does("phase serving");
    after = open_descriptors(graced.pid());
  }
  CHECK(after == before);
}

TEST_CASE("too many at once are turned away, and there is room again when they leave") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  {
    std::vector<RawClient> crowd;
    for (int i = 0; i < 64; ++i) crowd.emplace_back(temp / "control");
    for (RawClient& client : crowd) client.authenticate();
    RawClient one_more{temp / "control"};
    CHECK(one_more.is_hung_up_on());
  }
  CHECK(serves(temp / "control"));
}

TEST_CASE("strangers cannot take the room of those who may change things") {
  if (!as_root("to become somebody else")) return;
  TempDirectory temp;
  std::filesystem::permissions(temp.path, std::filesystem::perms{0755});
  ControlStory graced{"shop", temp / "control"};
  int lines[2];
  REQUIRE(::pipe2(lines, O_CLOEXEC) == 0);
  const Fd says{lines[0]};
  Fd tells{lines[1]};
  const pid_t stranger = ::fork();
  REQUIRE(stranger >= 0);
  if (stranger == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
    std::vector<RawClient> crowd;
    int turned_away = 0;
    for (int i = 0; i < 100; ++i) {
      RawClient& client = crowd.emplace_back(temp / "control");
      if (i >= 32 && client.is_hung_up_on()) ++turned_away;
    }
    if (turned_away == 68) static_cast<void>(!::write(tells.get(), "full\n", 5));
    ::pause();
  }
  tells.reset();
  CHECK(read_line(says.get()) == "full");
  CHECK(serves(temp / "control"));
  CHECK(ControlClient{temp / "control"}.hammer().outcome == ControlOutcome::ok);
  ::kill(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
}
