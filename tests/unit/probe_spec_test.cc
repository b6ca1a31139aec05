// Every form of a probe, and what is said of those that are none.
#include "core/probe_spec.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace graced;

namespace {

std::string complaint(std::string_view text) {
  try {
    parse_probe_spec(text);
  } catch (const std::invalid_argument& why) { return why.what(); }
  return "none";
}

}  // namespace

TEST_CASE("a URL is asked for by HTTP") {
  const auto spec = parse_probe_spec("http://127.0.0.1:8080/healthz?deep=1");
  CHECK(spec.kind == ProbeSpec::Kind::http);
  CHECK_FALSE(spec.tls);
  CHECK(spec.host == "127.0.0.1");
  CHECK(spec.port == 8080);
  CHECK(spec.path == "/healthz?deep=1");
  CHECK(spec.rule.what == "GET http://127.0.0.1:8080/healthz?deep=1");
  CHECK(spec.timeout == 2s);
  CHECK(spec.rule.interval == 1s);
  CHECK(spec.rule.passes == 1);
  CHECK(spec.rule.fails == 3);
  CHECK(spec.lowest_status == 200);
  CHECK(spec.highest_status == 399);

  CHECK(parse_probe_spec("http://localhost").port == 80);
  CHECK(parse_probe_spec("http://localhost").path == "/");
  CHECK(parse_probe_spec("https://[::1]/").port == 443);
  CHECK(parse_probe_spec("https://[::1]/").host == "::1");
  CHECK(parse_probe_spec("http://localhost?x").path == "/?x");
}

TEST_CASE("a unix socket is probed by its path") {
  const auto http = parse_probe_spec("http+unix:/run/app.sock:/healthz");
  CHECK(http.kind == ProbeSpec::Kind::http);
  CHECK(http.unix_path == "/run/app.sock");
  CHECK(http.path == "/healthz");
  CHECK(parse_probe_spec("http+unix:/run/app.sock").path == "/");
  const auto tcp = parse_probe_spec("tcp+unix:/run/app.sock");
  CHECK(tcp.kind == ProbeSpec::Kind::tcp);
  CHECK(tcp.unix_path == "/run/app.sock");
}

TEST_CASE("a connection alone, and a command") {
  const auto tcp = parse_probe_spec("tcp://localhost:6379");
  CHECK(tcp.kind == ProbeSpec::Kind::tcp);
  CHECK(tcp.port == 6379);
  const auto command = parse_probe_spec("exec:./smoke-test --fast 'two words'");
  CHECK(command.kind == ProbeSpec::Kind::command);
  CHECK(command.command == "./smoke-test --fast 'two words'");
  CHECK(command.rule.what == "exec:./smoke-test --fast 'two words'");
}

TEST_CASE("options say how often, how long and what passes") {
  const auto spec = parse_probe_spec(
      "https://localhost/,timeout=500ms,interval=5s,passes=2,fails=1,status=204,body=all\\, "
      "good,host=example.org,"
      "insecure,start-delay=3s");
  CHECK(spec.timeout == 500ms);
  CHECK(spec.rule.interval == 5s);
  CHECK(spec.rule.passes == 2);
  CHECK(spec.rule.fails == 1);
  CHECK(spec.rule.start_delay == 3s);
  CHECK(spec.lowest_status == 204);
  CHECK(spec.highest_status == 204);
  CHECK(spec.body == "all, good");
  CHECK(spec.host_header == "example.org");
  CHECK(spec.insecure);
}

TEST_CASE("what is no probe is refused in one line") {
  CHECK(complaint("htp://localhost/").find("did you mean 'http'?") != std::string::npos);
  CHECK(complaint("/healthz").find("http:…, https:…") != std::string::npos);
  CHECK(complaint("http:localhost") == "a URL goes on with two slashes, as in http://127.0.0.1:8080/healthz");
  CHECK(complaint("http://:8080/") == "it has no host, as in 127.0.0.1 or localhost");
  CHECK(complaint("http://::1:8080/") == "an IPv6 address needs brackets, as in [::1]:8080");
  CHECK(complaint("http://[::1:8080/") == "the bracket of '[::1:8080' is never closed");
  CHECK(complaint("http://localhost:80800/") == "port '80800' is not between 1 and 65535");
  CHECK(complaint("http://me@localhost/") == "'me@localhost' has a user in it, which a probe cannot send");
  CHECK(complaint("http://localhost/a b") == "'/a b' has a character that a URL cannot have: a blank is %20");
  CHECK(complaint("http+unix:app.sock:/") == "'app.sock' is no absolute path of a socket");
  CHECK(complaint("http+unix:/a.sock:healthz") ==
        "what is asked for begins with a slash, as in http+unix:/run/app.sock:/healthz");
  CHECK(complaint("tcp://localhost") == "it has no port, as in localhost:8080");
  CHECK(complaint("exec: ") == "it has no command, as in exec:./smoke-test");
}

TEST_CASE("an option that is none is refused in one line") {
  CHECK(complaint("tcp://a:1,timout=1s") ==
        "unknown option 'timout'; did you mean 'timeout'? (a comma that is no end is written \\,)");
  CHECK(complaint("tcp://a:1,body=x") == "option 'body' is for http only");
  CHECK(complaint("http://a/,insecure") == "option 'insecure' is for https only");
  CHECK(complaint("tcp://a:1,timeout") == "option 'timeout' needs a value, as in timeout=…");
  CHECK(complaint("tcp://a:1,timeout=0") == "option 'timeout': it must be longer than 0");
  CHECK(complaint("tcp://a:1,interval=infinity") ==
        "option 'interval': 'infinity' is no time of a day at most, as in 500ms or 5s");
  CHECK(complaint("tcp://a:1,fails=0") == "option 'fails': '0' is not a number between 1 and 1000");
  CHECK(complaint("http://a/,status=399-200") ==
        "option 'status': '399-200' is no status, as in 200 or 200-399");
  CHECK(complaint("http://a/,body=") == "option 'body': it is empty");
}

TEST_CASE("who serves is looked at only if that is asked for, at its own interval or at that of all looks") {
  CHECK(!parse_probe_spec("tcp://a:1").rule.while_serving);
  CHECK(parse_probe_spec("tcp://a:1,while-serving").rule.while_serving == 1s);
  CHECK(parse_probe_spec("tcp://a:1,while-serving,interval=3s").rule.while_serving == 3s);
  CHECK(parse_probe_spec("tcp://a:1,while-serving=10s,interval=3s").rule.while_serving == 10s);
  CHECK(parse_probe_spec("tcp://a:1,while-serving=10s,interval=3s").rule.interval == 3s);
  CHECK(complaint("tcp://a:1,while-serving=0") == "option 'while-serving': it must be longer than 0");
  CHECK(complaint("tcp://a:1,while-serving=infinity")
            .starts_with("option 'while-serving': 'infinity' is no time"));
}
