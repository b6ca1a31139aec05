// A line of a worker's as it is told on.
#include "workers/line_form.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "linux/self/journal_socket.h"

using namespace graced;

namespace {

using Kind = LineForm::Kind;

constexpr std::chrono::system_clock::time_point at{std::chrono::milliseconds(1795415580123)};
const Speaker worker{.generation = 7, .worker = 2, .pid = 123};

std::string line(Kind kind, const LinePiece& piece, const Speaker& by = worker) {
  return LineForm(kind, "shop", by).line(piece, at);
}

}  // namespace

TEST_CASE("a line of text says who says it, in the words of graced's log") {
  CHECK(line(Kind::text, {"hello"}) == "generation 7, worker 2, PID 123: hello\n");
  CHECK(line(Kind::timed_text, {"hello"}) ==
        "2026-11-23T06:33:00.123Z generation 7, worker 2, PID 123: hello\n");
  CHECK(line(Kind::text, {"rest", true}) == "generation 7, worker 2, PID 123: ...rest\n");
  CHECK(line(Kind::text, {"of a check"}, {.generation = 8, .pid = 9}) == "generation 8, PID 9: of a check\n");
  CHECK(line(Kind::text, {"of a hook"}, {.pid = 9}) == "PID 9: of a hook\n");
}

TEST_CASE("text has all bytes as they are") {
  const std::string bytes("\x1b[1mA\0\xff", 7);
  CHECK(line(Kind::text, {bytes}) == "generation 7, worker 2, PID 123: " + bytes + "\n");
}

TEST_CASE("JSON is one object a line, whatever is in it") {
  const std::string told =
      line(Kind::json, {"say \"hi\""}, {.generation = 7, .worker = 2, .pid = 123, .at_stderr = true});
  CHECK(told ==
        "{\"time\":\"2026-11-23T06:33:00.123Z\",\"name\":\"shop\",\"stream\":\"stderr\",\"generation\":7,"
        "\"worker\":2,\"pid\":123,\"text\":\"say \\\"hi\\\"\"}\n");

  const std::string wild = line(Kind::json, {std::string("\0\x1b\r\xff\xe2\x82\xac", 7), true}, {.pid = 9});
  for (const char c : wild.substr(0, wild.size() - 1)) CHECK((c >= ' ' && c < 0x7f));
  const auto parsed = nlohmann::json::parse(wild);
  CHECK(parsed["text"] == std::string("\0\x1b\r\xef\xbf\xbd\xe2\x82\xac", 9));
  CHECK(parsed["continues"] == true);
  CHECK(parsed["stream"] == "stdout");
  CHECK_FALSE(parsed.contains("generation"));
  CHECK_FALSE(parsed.contains("worker"));
}

TEST_CASE("an entry of the journal has fields, a level that is in front of the line, and any bytes") {
  const LineForm form(Kind::journal, "shop", worker);
  CHECK(
      form.entry({"hello"}) ==
      "MESSAGE=generation 7, worker 2, PID 123: hello\nPRIORITY=6\nSYSLOG_IDENTIFIER=graced\nGRACED_NAME=shop\n"
      "GRACED_STREAM=stdout\nGRACED_WORKER_PID=123\nGRACED_GENERATION=7\nGRACED_WORKER=2\n");
  const std::string grave = form.entry({"<3>on fire"});
  CHECK(grave.starts_with("MESSAGE=generation 7, worker 2, PID 123: on fire\nPRIORITY=3\n"));
  CHECK(form.entry({"<9>x"}).starts_with("MESSAGE=generation 7, worker 2, PID 123: <9>x\nPRIORITY=6\n"));
  CHECK(form.entry({"rest", true}).ends_with("GRACED_CONTINUES=1\n"));
  CHECK(form.line({"hello"}, at) == "generation 7, worker 2, PID 123: hello\n");

  using namespace std::string_literals;
  CHECK(journal_entry(std::vector<std::pair<std::string_view, std::string>>{{"A", "1\n2"}, {"B", "="}}) ==
        "A\n\3\0\0\0\0\0\0\0001\n2\nB==\n"s);
  CHECK(journal_entry(std::vector<std::string>{"A=1\n2", "B=="}) == "A\n\3\0\0\0\0\0\0\0001\n2\nB==\n"s);
}
