// Every form of an address, and what is said of those that are none.
#include "core/listen_spec.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace graced;

namespace {

std::string complaint(std::string_view text) {
  try {
    parse_listen_spec(text);
  } catch (const std::invalid_argument& why) { return why.what(); }
  return "none";
}

}  // namespace

TEST_CASE("a port alone means every address") {
  for (const char* text : {"8080", ":8080", "*:8080", "tcp:8080", "tcp::8080", "tcp:*:8080"}) {
    CAPTURE(text);
    const auto spec = parse_listen_spec(text);
    CHECK(spec.kind == AddressKind::tcp);
    CHECK(spec.family == IpFamily::any);
    CHECK(spec.host.empty());
    CHECK(spec.port == 8080);
    CHECK(spec.address() == "8080");
    CHECK(spec.name() == "8080");
  }
}

TEST_CASE("a host may be an address or a name") {
  CHECK(parse_listen_spec("127.0.0.1:80").host == "127.0.0.1");
  CHECK(parse_listen_spec("127.0.0.1:80").address() == "127.0.0.1:80");
  CHECK(parse_listen_spec("localhost:0").host == "localhost");
  CHECK(parse_listen_spec("[::1]:8080").host == "::1");
  CHECK(parse_listen_spec("[::1]:8080").address() == "[::1]:8080");
  CHECK(parse_listen_spec("[fe80::1%eth0]:8080").host == "fe80::1%eth0");
  CHECK(parse_listen_spec("[::ffff:10.0.0.1]:53").address() == "[::ffff:10.0.0.1]:53");
}

TEST_CASE("a prefix says protocol and family") {
  CHECK(parse_listen_spec("tcp4:8080").family == IpFamily::v4);
  CHECK(parse_listen_spec("tcp6:8080").family == IpFamily::v6);
  CHECK(parse_listen_spec("tcp6:8080").address() == "tcp6:8080");
  CHECK(parse_listen_spec("udp:53").kind == AddressKind::udp);
  CHECK(parse_listen_spec("udp:53").address() == "udp:53");
  CHECK(parse_listen_spec("udp4:localhost:53").address() == "udp4:localhost:53");
  CHECK(parse_listen_spec("udp6:[::1]:53").address() == "udp:[::1]:53");
}

TEST_CASE("one address is called the same however it is written") {
  CHECK(parse_listen_spec("tcp4:127.0.0.1:80") == parse_listen_spec("127.0.0.1:80"));
  CHECK(parse_listen_spec("tcp6:[::1]:80") == parse_listen_spec("[::1]:80"));
  CHECK(parse_listen_spec("tcp6:[::]:80") != parse_listen_spec("[::]:80"));
}

TEST_CASE("a host called udp is not taken for the udp address of that port in messages and reloads") {
  CHECK(parse_listen_spec("tcp:udp:53").address() == "tcp:udp:53");
  CHECK(parse_listen_spec("udp:tcp:53").address() == "udp:tcp:53");
  CHECK(parse_listen_spec("tcp:localhost:53").address() == "localhost:53");
}

TEST_CASE("unix sockets are of three kinds, in a file or abstract") {
  CHECK(parse_listen_spec("unix:/run/a.sock").kind == AddressKind::unix_stream);
  CHECK(parse_listen_spec("unix-dgram:/run/a.sock").kind == AddressKind::unix_dgram);
  CHECK(parse_listen_spec("unix-seqpacket:/run/a.sock").kind == AddressKind::unix_seqpacket);
  CHECK(parse_listen_spec("unix:/run/a.sock").path == "/run/a.sock");
  CHECK(parse_listen_spec("unix:@abstract").path == "@abstract");
  CHECK(parse_listen_spec("unix:/run/a.sock").address() == "unix:/run/a.sock");
  CHECK(parse_listen_spec("unix-dgram:@log").address() == "unix-dgram:@log");
  CHECK(parse_listen_spec("unix:run/a.sock").path == "run/a.sock");
}

TEST_CASE("an inherited descriptor is named by its number") {
  const auto spec = parse_listen_spec("fd:3");
  CHECK(spec.kind == AddressKind::inherited);
  CHECK(spec.fd == 3);
  CHECK(spec.address() == "fd:3");
  CHECK(spec.name() == "fd3");
}

TEST_CASE("workers find an address by its option, its port or the end of its path") {
  CHECK(parse_listen_spec("8080,name=http").name() == "http");
  CHECK(parse_listen_spec("localhost:81").name() == "81");
  CHECK(parse_listen_spec("unix:/run/app/api.sock").name() == "api.sock");
  CHECK(parse_listen_spec("unix:@bus").name() == "bus");
  CHECK(parse_listen_spec("unix:/run/a:b.sock").name() == "a_b.sock");
}

TEST_CASE("options follow, each with its own kind of value") {
  const auto tcp = parse_listen_spec(
      "tcp6:8080,name=web,backlog=512,ipv6-only=no,free-bind,transparent=yes,no-delay,keep-alive=on,"
      "defer-accept=5s,fast-open=16,receive-buffer=8M,send-buffer=65536,mark=0x1f,device=eth0,nonblock=true");
  CHECK(tcp.options.name == "web");
  CHECK(tcp.options.backlog == 512);
  CHECK(tcp.options.ipv6_only == false);
  CHECK(tcp.options.free_bind == true);
  CHECK(tcp.options.transparent == true);
  CHECK(tcp.options.no_delay == true);
  CHECK(tcp.options.keep_alive == true);
  CHECK(tcp.options.defer_accept == 5s);
  CHECK(tcp.options.fast_open == 16);
  CHECK(tcp.options.receive_buffer == 8U << 20);
  CHECK(tcp.options.send_buffer == 65536);
  CHECK(tcp.options.mark == 31);
  CHECK(tcp.options.device == "eth0");
  CHECK(tcp.options.nonblock == true);

  const auto file = parse_listen_spec("unix:/run/a.sock,mode=0660,user=www,group=adm,backlog=1");
  CHECK(file.options.mode == 0660);
  CHECK(file.options.user == "www");
  CHECK(file.options.group == "adm");
  CHECK(file.options.backlog == 1);
}

TEST_CASE("what was not said stays unsaid") {
  CHECK(parse_listen_spec("8080").options == ListenOptions{});
  CHECK(parse_listen_spec("8080") == parse_listen_spec("tcp:*:8080"));
  CHECK(parse_listen_spec("8080") != parse_listen_spec("8080,no-delay"));
}

TEST_CASE("a malformed address is told what is wrong with it") {
  CHECK(complaint("80800") == "port '80800' is not between 0 and 65535");
  CHECK(complaint("localhost:http") == "port 'http' is not between 0 and 65535");
  CHECK(complaint("localhost:-1") == "port '-1' is not between 0 and 65535");
  CHECK(complaint("localhost:") == "port '' is not between 0 and 65535");
  CHECK(complaint("localhost") == "no port, as in localhost:8080");
  CHECK(complaint("") == "no port, as in 8080 or localhost:8080");
  CHECK(complaint("a b:80") == "'a b' is no host name");
  CHECK(complaint("tcp:@app:80") == "'@app' is no host name");
  CHECK(complaint("::1:8080") == "an IPv6 address needs brackets and a port, as in [::1]:8080");
  CHECK(complaint("[::1]8080") == "no port after the bracket, as in [::1]:8080");
  CHECK(complaint("[::1") == "the bracket of '[::1' is never closed");
  CHECK(complaint("[localhost]:80") == "'localhost' is no IPv6 address, only those have brackets");
  CHECK(complaint("tcp6:127.0.0.1:80") == "127.0.0.1 is an IPv4 address");
  CHECK(complaint("tcp4:[::1]:80") == "::1 is an IPv6 address");
  CHECK(complaint("tpc:localhost:80") == "unknown kind of address 'tpc'; did you mean 'tcp'?");
  CHECK(complaint("xyzzy:localhost:80") ==
        "unknown kind of address 'xyzzy', it is one of tcp, tcp4, tcp6, udp, udp4, udp6, unix, unix-dgram, "
        "unix-seqpacket, fd");
  CHECK(complaint("/run/a.sock") == "a path needs its kind, as in unix:/run/a.sock");
  CHECK(complaint("unix:") == "no path, as in unix:/run/app.sock");
  CHECK(complaint("unix-dgram:@") == "no name after '@', as in unix-dgram:@app");
  CHECK(complaint("unix:/run/") == "path '/run/' ends with a slash, name the socket file");
  CHECK(complaint("fd:x") == "'x' is no descriptor's number, as in fd:3");
  CHECK(complaint("fd:-1") == "'-1' is no descriptor's number, as in fd:3");
}

TEST_CASE("a path longer than the kernel takes is refused before anything is bound") {
  const std::string fits = "/" + std::string(106, 'x');
  CHECK(parse_listen_spec("unix:" + fits).path == fits);
  CHECK(complaint("unix:" + fits + "x") == "path is 108 bytes long, a unix socket's may have 107");
  CHECK(parse_listen_spec("unix:@" + std::string(107, 'x')).path.size() == 108);
  CHECK(complaint("unix:@" + std::string(108, 'x')) == "name is 108 bytes long, a unix socket's may have 107");
}

TEST_CASE("a wrong option is told what it should have been") {
  CHECK(complaint("8080,backlgo=5") == "unknown option 'backlgo'; did you mean 'backlog'?");
  CHECK(complaint("8080,xyzzy").starts_with("unknown option 'xyzzy', it is one of name, backlog, mode"));
  CHECK(complaint("8080,").starts_with("unknown option '', it is one of"));
  CHECK(complaint("8080,no-delay,no-delay=no") == "option 'no-delay' is given twice");
  CHECK(complaint("8080,backlog") == "option 'backlog' needs a value, as in backlog=…");
  CHECK(complaint("8080,backlog=-1") == "option 'backlog': '-1' is not a number between 0 and 2147483647");
  CHECK(complaint("8080,no-delay=maybe") == "option 'no-delay': 'maybe' is neither yes nor no");
  CHECK(complaint("unix:/a,mode=0888") == "option 'mode': '0888' is no octal mode, as in 0660");
  CHECK(complaint("unix:/a,user=") == "option 'user': it is empty");
  CHECK(complaint("8080,receive-buffer=9G") ==
        "option 'receive-buffer': '9G' is no size below 2G, as in 65536, 64K or 8M");
  CHECK(complaint("8080,defer-accept=infinity") ==
        "option 'defer-accept': 'infinity' is no time, as in 5s or 2min");
  CHECK(complaint("8080,mark=0xfffffffff") ==
        "option 'mark': '0xfffffffff' is no number of 32 bits, as in 7 or 0x1f");
  CHECK(complaint("8080,device=abcdefghijklmnop") ==
        "option 'device': 'abcdefghijklmnop' has more than the 15 characters an interface's name may have");
  CHECK(complaint("8080,name=a:b") ==
        "option 'name': 'a:b' has a character other than printable ASCII without ':'");
  CHECK(complaint("8080,name=") == "option 'name': it is empty");
  CHECK(complaint("8080,name=" + std::string(256, 'x')) == "option 'name': it has more than 255 characters");
}

TEST_CASE("an option that does not fit the address is refused") {
  CHECK(complaint("8080,mode=0600") == "option 'mode' is for unix socket files only");
  CHECK(complaint("unix:@a,user=www") == "option 'user' is for unix socket files only");
  CHECK(complaint("unix:/a,no-delay") == "option 'no-delay' is for tcp only");
  CHECK(complaint("udp:53,backlog=5") == "option 'backlog' is for tcp, unix and unix-seqpacket only");
  CHECK(complaint("unix-dgram:/a,device=lo") == "option 'device' is for tcp and udp only");
  CHECK(complaint("fd:3,send-buffer=1M") == "option 'send-buffer' is for sockets bound here only");
  CHECK(complaint("tcp4:80,ipv6-only") == "option 'ipv6-only': it is for IPv6, and tcp4:80 is not");
  CHECK(complaint("127.0.0.1:80,ipv6-only=no") ==
        "option 'ipv6-only': it is for IPv6, and 127.0.0.1:80 is not");
  CHECK(parse_listen_spec("fd:3,backlog=9,name=a,nonblock=no").options.backlog == 9);
}
