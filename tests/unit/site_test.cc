// What is to be had under which path.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "exporter/event_feed.h"
#include "exporter/exporter_options.h"
#include "exporter/html.h"
#include "exporter/site.h"

using namespace graced;
using Json = nlohmann::json;

namespace {

Look one() {
  Look look;
  Seen& seen = look.instances.emplace_back();
  seen.name = "shop";
  seen.observed.answer = ObservedInstance::Answer::told;
  seen.observed.report.name = "shop";
  seen.observed.report.phase = "serving";
  seen.history.push_back(InstanceEvent{.kind = InstanceEvent::Kind::serving});
  Seen& hung = look.instances.emplace_back();
  hung.name = "hung";
  hung.observed.answer = ObservedInstance::Answer::silent;
  return look;
}

Reply ask(const std::string& path) {
  const Look look = one();
  return Site::answer({.method = "GET", .path = path, .accept = ""}, &look, {});
}

}  // namespace

TEST_CASE("the state of instances is the JSON of graced's commands") {
  const Json all = Json::parse(ask("/api/v1/instances").body);
  const Json one_of_them = Json::parse(ask("/api/v1/instances/shop").body);
  CHECK(one_of_them["name"] == "shop");
  CHECK(one_of_them["phase"] == "serving");
  CHECK(all.dump().find("\"silent\"") != std::string::npos);
  const Json history = Json::parse(ask("/api/v1/instances/shop/history").body);
  CHECK(history["history"][0]["event"] == "serving");
}

TEST_CASE("what is not there is 404, and what could not be looked at 503") {
  CHECK(ask("/api/v1/instances/other").status == 404);
  CHECK(ask("/api/v1/instances/other/history").status == 404);
  CHECK(ask("/etc/passwd").status == 404);
  CHECK(ask("/../page_files.h").status == 404);
  CHECK(ask("/").status == 200);
  CHECK(Site::answer({.method = "GET", .path = "/metrics", .accept = ""}, nullptr, {}).status == 503);
}

TEST_CASE("a reader of events goes on where it was, and is told what it missed") {
  EventFeed feed;
  feed.add("reloaded", "{}");
  std::uint64_t at = where_to_begin(std::nullopt, feed.next());
  CHECK(feed.from(at).empty());
  feed.add("crashed", R"({"a":1})");
  CHECK(feed.from(at) == "id: 2\nevent: crashed\ndata: {\"a\":1}\n\n");
  CHECK(feed.from(at).empty());
  CHECK(where_to_begin("1", feed.next()) == 2);
  CHECK(where_to_begin("99", feed.next()) == 3);  // of an exporter before this one
  CHECK(where_to_begin("x", feed.next()) == 3);
  for (std::size_t i = 0; i < EventFeed::capacity + 5; ++i) feed.add("reloaded", "{}");
  CHECK(feed.from(at).starts_with("event: missed\ndata: {\"missed\":5}\n\nid: 8\n"));
}

TEST_CASE("who comes back to a stream that had paused is told of a gap, who is new is not") {
  EventFeed feed;
  feed.add("reloaded", "{}");
  feed.begin();
  std::uint64_t back = where_to_begin("1", feed.next());
  std::uint64_t fresh = where_to_begin(std::nullopt, feed.next());
  CHECK(feed.from(back).starts_with("event: missed\n"));
  CHECK(feed.from(back).empty());
  CHECK(feed.from(fresh).empty());
}

TEST_CASE("options of the exporter are read, and wrong ones are told in a line") {
  const ExporterOptions usual = parse_exporter_options({});
  CHECK(usual.listen.address() == "127.0.0.1:9917");
  CHECK(usual.time_limit == 3s);
  CHECK(!usual.show_secrets);
  CHECK(!usual.text);
  CHECK(parse_exporter_options({"--control", "/a", "--control=/b"}).controls.size() == 2);
  CHECK(parse_exporter_options({"--help"}).text->find("--listen") != std::string::npos);
  for (const auto& words : std::vector<std::vector<std::string>>{{"--listen", "udp:53"},
                                                                 {"--listen", "127.0.0.1:99999"},
                                                                 {"--time-limit", "0"},
                                                                 {"--time-limit", "infinity"},
                                                                 {"--time"},
                                                                 {"--nonsense"},
                                                                 {"extra"}}) {
    CAPTURE(words.front());
    CHECK_THROWS_AS(parse_exporter_options(words), std::invalid_argument);
  }
}

TEST_CASE("pages show who serves and who does not answer, and names of strangers are text") {
  const std::string all = ask("/").body;
  CHECK(all.find("2 instances, 1 to be looked at") != std::string::npos);
  CHECK(all.find("href=\"/instances/shop\"") != std::string::npos);
  CHECK(all.find(">silent<") != std::string::npos);
  CHECK(ask("/instances/shop").body.find("History") != std::string::npos);
  const Reply none = ask("/instances/<b>");
  CHECK(none.status == 404);
  CHECK(none.body.find("<b>") == std::string::npos);
  CHECK(none.body.find("No instance &lt;b&gt;") != std::string::npos);
}

TEST_CASE("a page has no script and no style but those of its own files") {
  for (const char* path : {"/", "/instances/shop"}) {
    const std::string body = ask(path).body;
    CHECK(body.find("style=") == std::string::npos);
    CHECK(body.find("<style") == std::string::npos);
    CHECK(body.find("<script src=\"/page.js\" defer></script>") == body.rfind("<script"));
  }
  CHECK(ask("/page.css").type == "text/css; charset=utf-8");
  CHECK(ask("/page.js").type == "text/javascript; charset=utf-8");
  CHECK(ask("/page.svg").type == "image/svg+xml; charset=utf-8");
}

TEST_CASE("text becomes HTML, and a part of a path, whatever it is") {
  CHECK(html_text("a<b>&\"'\n\xff") == "a&lt;b&gt;&amp;&quot;&#39;\\n\\xff");
  CHECK(path_part("/run/a b%") == "%2Frun%2Fa%20b%25");
}

TEST_CASE("the page hears of everything that a history can tell") {
  const std::string script = ask("/page.js").body;
  for (const std::string_view kind : remembered_event_kinds()) {
    CAPTURE(kind);
    CHECK(script.find('"' + std::string(kind) + '"') != std::string::npos);
  }
}
