// What the bands of a time line say, and what they do not.
#include "exporter/time_line.h"

#include <doctest/doctest.h>

#include "exporter/time_axis.h"
#include "exporter/time_line_html.h"

using namespace graced;
using Kind = InstanceEvent::Kind;
using State = GenerationState;

namespace {

constexpr Instant at(Duration when) {
  return Instant{when};
}

struct Story {
  InstanceReport report{};
  std::vector<InstanceEvent> history{};
  Sightings sightings{};

  InstanceEvent& happened(Kind kind, Duration when, std::uint64_t generation) {
    InstanceEvent& e = history.emplace_back(InstanceEvent{.kind = kind});
    e.monotonic = at(when);
    e.generation = generation;
    return e;
  }
  void reloaded(Duration when, std::uint64_t generation) {
    InstanceEvent& e = happened(Kind::reloaded, when, generation);
    e.serving = generation;
    serves(generation);
  }
  void serves(std::uint64_t generation) {
    report.serving = generation;
    std::erase_if(report.workers, [](const WorkerReport& w) { return w.state == "ready"; });
    has(generation, "ready");
  }
  void has(std::uint64_t generation, const std::string& state) {
    WorkerReport& w = report.workers.emplace_back();
    w.generation = generation;
    w.state = state;
    w.pid = 1;
  }
  void looked(Duration when) { sightings.take(report, at(when)); }

  GenerationRow row(std::uint64_t generation, Duration now) const {
    for (GenerationRow& row : time_line(report, history, sightings.all(), at(now)).rows)
      if (row.generation == generation) return row;
    return {};
  }
  // "serving 10-20, draining 20-25+"
  std::string bands(std::uint64_t generation, Duration now) const {
    const auto seconds = [](Instant moment) {
      return std::to_string(
          std::chrono::duration_cast<std::chrono::seconds>(moment.time_since_epoch()).count());
    };
    std::string text;
    for (const Band& b : row(generation, now).bands)
      text += (text.empty() ? "" : ", ") + std::string(to_text(b.state)) + " " + seconds(b.from) + "-" +
              seconds(b.to) + (b.goes_on ? "+" : "");
    return text;
  }
};

Story started() {
  Story s;
  InstanceEvent& e = s.happened(Kind::serving, 10s, 1);
  e.serving = 1;
  e.took = 2s;
  e.stages.start = 2s;
  s.serves(1);
  return s;
}

}  // namespace

TEST_CASE("a generation is drawn from its start on, stage by stage, and serves until the next one does") {
  Story s = started();
  CHECK(s.bands(1, 20s) == "start 8-10, serving 10-20+");
  s.reloaded(30s, 2);
  InstanceEvent& e = s.history.back();
  e.took = 12s;
  e.stages = {.prepare = 1s, .check = 1s, .start = 2s, .probe = 3s, .canary = 5s};
  CHECK(s.bands(2, 40s) == "start 18-22, ready 22-25, canary 25-30, serving 30-40+");
  CHECK(s.bands(1, 40s) == "start 8-10, serving 10-30");
}

TEST_CASE("an old generation drains as long as it is seen to, and what nobody has seen is not drawn") {
  Story s = started();
  s.has(1, "draining");
  s.reloaded(30s, 2);
  CHECK(s.bands(1, 33s) == "start 8-10, serving 10-30");
  s.looked(33s);
  CHECK(s.bands(1, 33s) == "start 8-10, serving 10-30, draining 30-33+");
  s.report.workers.erase(s.report.workers.begin());
  s.looked(35s);
  CHECK(s.bands(1, 36s) == "start 8-10, serving 10-30, draining 30-33");
  CHECK(s.row(1, 36s).marks.at(0).kind == Mark::Kind::gone);
  CHECK(s.row(1, 36s).marks.at(0).at == at(35s));
}

TEST_CASE("one that was killed has drained until then, seen or not") {
  Story s = started();
  s.reloaded(30s, 2);
  s.happened(Kind::hammered, 50s, 1);
  CHECK(s.bands(1, 60s) == "start 8-10, serving 10-30, draining 30-50");
}

TEST_CASE("a reload that failed is a trial with its end, and nothing else changes") {
  Story s = started();
  InstanceEvent& e = s.happened(Kind::reload_failed, 30s, 2);
  e.took = 4s;
  e.ok = false;
  e.stages = {.prepare = 1s, .start = 3s};
  e.reason = "exited with status 3\nlast words";
  CHECK(s.bands(2, 40s) == "start 26-30");
  CHECK(s.row(2, 40s).marks.at(0).what == "exited with status 3");
  CHECK(s.bands(1, 40s) == "start 8-10, serving 10-40+");
}

TEST_CASE("a generation that was rolled back ends, and the one that stood by serves again") {
  Story s = started();
  s.reloaded(30s, 2);
  s.report.standby = 1;
  s.has(1, "standby");
  CHECK(s.bands(1, 40s) == "start 8-10, serving 10-30, standby 30-40+");
  InstanceEvent& e = s.happened(Kind::rolled_back, 50s, 2);
  e.serving = 1;
  s.report.standby = 0;
  s.report.workers.clear();
  s.serves(1);
  CHECK(s.bands(1, 60s) == "start 8-10, serving 10-30, standby 30-50, serving 50-60+");
  CHECK(s.bands(2, 60s) == "serving 30-50");
  CHECK(s.row(2, 60s).marks.at(0).kind == Mark::Kind::rolled_back);
  s.happened(Kind::hammered, 55s, 2);
  CHECK(s.bands(2, 60s) == "serving 30-50, draining 50-55");
}

TEST_CASE("one that has stood by until its successor was proven is drawn so") {
  Story s = started();
  s.reloaded(30s, 2);
  s.happened(Kind::promoted, 50s, 2);
  CHECK(s.bands(1, 60s) == "start 8-10, serving 10-30, standby 30-50");
}

TEST_CASE("who served after a crash is not known before somebody does again") {
  Story s = started();
  s.happened(Kind::crashed, 20s, 1);
  s.report.workers.clear();
  s.report.phase = "down";
  CHECK(s.bands(1, 24s) == "start 8-10, serving 10-20");
  const std::string html = time_line_html(time_line(s.report, s.history, s.sightings.all(), at(24s)), {});
  CHECK(html.find("<b>1</b> a worker crashed<") != std::string::npos);
  s.happened(Kind::crashed, 22s, 1);
  s.happened(Kind::serving, 25s, 1).by.how = "crash";
  s.serves(1);
  CHECK(s.bands(1, 30s) == "start 8-10, serving 10-20, serving 25-30+");
  CHECK(s.row(1, 30s).marks.size() == 2);
}

TEST_CASE("a candidate is drawn as it is seen, until its history tells it") {
  Story s = started();
  s.report.candidate = 2;
  s.has(2, "starting");
  s.report.workers.back().age = 3s;
  s.looked(20s);
  CHECK(s.bands(2, 20s) == "start 17-20+");
  s.report.workers.back().state = "ready";
  s.report.workers.back().age = 5s;
  s.looked(22s);
  s.looked(24s);
  s.report.canary.emplace();
  s.looked(26s);
  s.looked(28s);
  CHECK(s.bands(2, 28s).ends_with("ready 22-24, canary 26-28+"));
}

TEST_CASE("another graced in its place has generations of its own") {
  Story s = started();
  s.report.pid = 7;
  s.looked(20s);
  CHECK(s.sightings.all().size() == 1);
  s.report.pid = 8;
  s.report.workers.clear();
  s.looked(30s);
  CHECK(s.sightings.all().empty());
}

TEST_CASE("a line has room for the newest generations and for those that live") {
  Story s = started();
  s.has(1, "draining");
  for (unsigned generation = 2; generation < 40; ++generation) s.reloaded(generation * 10s, generation);
  s.looked(400s);
  const TimeLine line = time_line(s.report, s.history, s.sightings.all(), at(400s));
  CHECK(line.rows.size() == most_rows + 1);
  CHECK(line.rows.front().generation == 39);
  CHECK(line.rows.back().generation == 1);
}

TEST_CASE("a second and a day both have room on the line, in their order") {
  const TimeAxis axis{{at(86400s), at(0s), at(1s), at(1s)}};
  CHECK(axis.at(at(0s)) == 0);
  CHECK(axis.at(at(86400s)) == 100);
  CHECK(axis.at(at(1s)) > 5);
  CHECK(axis.at(at(1s)) < 50);
  CHECK(axis.labels(60) == std::vector{at(0s), at(86400s)});
  CHECK(TimeAxis{{}}.labels(10).empty());
}

TEST_CASE("a line is told in words as well, and what workers said is text in it") {
  Story s = started();
  InstanceEvent& e = s.happened(Kind::reload_failed, 30s, 2);
  e.took = 4s;
  e.stages.start = 4s;
  e.reason = "<script>alert(1)</script>";
  const std::string html = time_line_html(time_line(s.report, s.history, s.sightings.all(), at(40s)),
                                          std::chrono::system_clock::time_point{100s});
  CHECK(html.find("generation 2: start from 00:01:26 to 00:01:30, 4s; failed at 00:01:30") !=
        std::string::npos);
  CHECK(html.find("&lt;script&gt;") != std::string::npos);
  CHECK(html.find("<script") == std::string::npos);
  CHECK(time_line_html({}, {}).empty());
}

TEST_CASE("a time of another day bears its day") {
  Story s;
  s.happened(Kind::serving, 0s, 1).serving = 1;
  s.serves(1);
  s.reloaded(30h, 2);
  const std::string html = time_line_html(time_line(s.report, s.history, s.sightings.all(), at(30h + 1s)),
                                          std::chrono::system_clock::time_point{30h + 1s});
  CHECK(html.find(">01-01 00:00</text>") != std::string::npos);
  CHECK(html.find("generation 1: serving from 01-01 00:00 to 06:00:00, ") != std::string::npos);
}

TEST_CASE("one second is written once below the time line") {
  Story s;
  s.happened(Kind::serving, 0s, 1).serving = 1;
  s.serves(1);
  s.reloaded(400ms, 2);
  const std::string html = time_line_html(time_line(s.report, s.history, s.sightings.all(), at(900ms)),
                                          std::chrono::system_clock::time_point{900ms});
  const auto first = html.find(">00:00:00</text>");
  CHECK(first != std::string::npos);
  CHECK(html.find(">00:00:00</text>", first + 1) == std::string::npos);
  CHECK(html.find(">now</text>") != std::string::npos);
}

TEST_CASE("a candidate serves beside the one before from its first batch on") {
  Story s;
  s.happened(Kind::serving, 0s, 1).serving = 1;
  s.serves(1);
  s.report.candidate = 2;
  s.report.batches = BatchesReport{.count = 2};
  s.has(2, "ready");
  s.looked(10s);
  s.report.batches->serve = 1;
  s.looked(12s);
  s.looked(14s);
  CHECK(s.bands(2, 14s) == "serving 12-14+");
  CHECK(s.bands(1, 14s) == "serving 0-14+");
}
