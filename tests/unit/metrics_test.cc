// Which metrics an instance has, and what they never tell.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "exporter/metrics.h"

using namespace graced;

namespace {

Seen& add(Look& look, const std::string& name, ObservedInstance::Answer answer) {
  Seen& seen = look.instances.emplace_back();
  seen.name = name;
  seen.observed.answer = answer;
  return seen;
}

WorkerReport& add(InstanceReport& report, std::uint64_t generation, const std::string& state) {
  WorkerReport& worker = report.workers.emplace_back();
  worker.generation = generation;
  worker.state = state;
  return worker;
}

InstanceEvent entry(InstanceEvent::Kind kind, std::chrono::seconds when, std::uint64_t serving) {
  InstanceEvent e{.kind = kind};
  e.monotonic = Instant{when};
  e.serving = serving;
  return e;
}

Look shop() {
  using Kind = InstanceEvent::Kind;
  Look look;
  look.begun = Instant{100s};
  Seen& seen = add(look, "shop", ObservedInstance::Answer::told);
  InstanceReport& r = seen.observed.report;
  r.name = "shop";
  r.version = "0.1.0";
  r.phase = "degraded";
  r.serving = 3;
  r.workers_asked = 2;
  add(r, 2, "draining").last_lines = {"token=hunter2"};
  add(r, 3, "ready");
  r.probes.emplace_back().what = "GET http://x/?token=hunter2";
  r.probes.back().passed = true;
  r.canary.emplace();
  r.canary->per_mille = 50;
  r.canary->step = 1;
  r.canary->steps = 2;
  r.last_reload.emplace();
  r.last_reload->generation = 4;
  r.last_reload->why = "hunter2";
  r.reloads = 2;
  r.failed_reloads = 1;
  r.upgrades = 4;
  r.failed_upgrades = 3;
  seen.observed.generations.resize(2);
  seen.observed.generations[0].generation = 2;
  seen.observed.generations[0].connections = 4;
  seen.observed.generations[0].memory = 1000;
  seen.observed.generations[1].generation = 3;
  AddressLoad& address = seen.observed.addresses.emplace_back();
  address.address = "tcp [::]:80";
  address.waiting = 3;
  address.longest = 128;
  address.drops = 0;
  seen.tally.take_drops(seen.observed.addresses);
  address.drops = 5;
  seen.tally.take_drops(seen.observed.addresses);
  r.datagrams = {{.generation = 2, .flows = 3, .datagrams = 10}, {.generation = 3, .flows = 5, .datagrams = 7}};
  seen.tally.take_datagrams(r);
  r.datagrams[1].datagrams = 9;
  seen.tally.take_datagrams(r);
  seen.history = {entry(Kind::serving, 10s, 1), entry(Kind::reloaded, 20s, 2), entry(Kind::reloaded, 70s, 3),
                  entry(Kind::reload_failed, 80s, 3)};
  add(look, "blog", ObservedInstance::Answer::silent);
  return look;
}

std::string text_of(const Look& look) {
  return metric_text(metrics_of(look, {}), TextFormat::prometheus);
}

bool has(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("the metrics tell when a worker ended by itself and, in one word of a few, why") {
  Look look = shop();
  const std::string_view name = "graced_last_exit_timestamp_seconds";
  CHECK(text_of(look).find(name) == std::string::npos);
  Seen& seen = look.instances.front();
  InstanceEvent& crash = seen.history.emplace_back(entry(InstanceEvent::Kind::crashed, 90s, 3));
  crash.worker_pid = 99;
  crash.at = std::chrono::system_clock::time_point(1790000000s + 250ms);
  const auto told = [&](ExitReport exit) {
    exit.pid = exit.pid != 0 ? 99 : 0;
    crash.worker_pid = exit.pid;
    seen.observed.report.last_exit = std::move(exit);
    const std::string text = text_of(look);
    const std::size_t at = text.find("\n" + std::string(name) + "{") + 1;
    return text.substr(at, text.find('\n', at) - at);
  };
  CHECK(told({3, 0, 99, "exited with status 3 after 2s: hunter2", 3}) ==
        "graced_last_exit_timestamp_seconds{name=\"shop\",reason=\"status\"} 1790000000.25");
  const auto reason_of = [&](const ExitReport& exit) {
    const std::string line = told(exit);
    const std::size_t at = line.find("reason=\"") + 8;
    return line.substr(at, line.find('"', at) - at);
  };
  CHECK(reason_of({3, 0, 99, "killed by SIGSEGV after 2s", {}, "SIGSEGV"}) == "signal");
  CHECK(reason_of({3, 0, 99, "was not ready within 5s, then killed by SIGTERM", {}, "SIGTERM"}) == "late");
  CHECK(reason_of({3, 0, 0, "could not be started: exec ./app", 127}) == "exec");
  CHECK(reason_of({3, 0, 99, "exited with status 0 after 2s", 0}) == "end");
  CHECK(reason_of({3, 0, 99, "said STOPPING=1"}) == "end");
}

TEST_CASE("the metrics of an instance tell how it is") {
  const std::string text = text_of(shop());
  CHECK(has(text, "graced_up{name=\"shop\"} 1"));
  CHECK(has(text, "graced_phase{name=\"shop\",phase=\"degraded\"} 1"));
  CHECK(has(text, "graced_phase{name=\"shop\",phase=\"serving\"} 0"));
  CHECK(has(text, "graced_workers{name=\"shop\",state=\"ready\"} 1"));
  CHECK(has(text, "graced_workers_asked{name=\"shop\"} 2"));
  CHECK(has(text, "graced_serving_generation{name=\"shop\"} 3"));
  CHECK(has(text, "graced_serving_generation_age_seconds{name=\"shop\"} 30"));
  CHECK(has(text, "graced_draining_generations{name=\"shop\"} 1"));
  CHECK(has(text, "graced_oldest_draining_seconds{name=\"shop\"} 30"));
  CHECK(has(text, "graced_connections{name=\"shop\",role=\"draining\"} 4"));
  CHECK(has(text, "graced_memory_bytes{name=\"shop\",role=\"draining\"} 1000"));
  CHECK(has(text, "graced_accept_queue_length{name=\"shop\",address=\"tcp [::]:80\"} 3"));
  CHECK(has(text, "graced_accept_queue_limit{name=\"shop\",address=\"tcp [::]:80\"} 128"));
  CHECK(has(text, "graced_accept_queue_drops_total{name=\"shop\",address=\"tcp [::]:80\"} 5"));
  CHECK(text.find("graced_connections{name=\"shop\",role=\"serving\"}") == std::string::npos);  // not known
  CHECK(has(text, "graced_udp_flows{name=\"shop\",role=\"draining\"} 3"));
  CHECK(has(text, "graced_udp_flows{name=\"shop\",role=\"serving\"} 5"));
  CHECK(has(text, "graced_udp_datagrams_total{name=\"shop\",role=\"serving\"} 2"));
  CHECK(text.find("graced_udp_flows{name=\"blog\"") == std::string::npos);
  CHECK(has(text, "graced_reloads_total{name=\"shop\",outcome=\"failed\"} 1"));
  CHECK(has(text, "graced_upgrades_total{name=\"shop\",outcome=\"ok\"} 4"));
  CHECK(has(text, "graced_upgrades_total{name=\"shop\",outcome=\"failed\"} 3"));
  CHECK(has(text, "graced_last_reload_failed{name=\"shop\"} 1"));
  CHECK(has(text, "graced_probe_passed{name=\"shop\",probe=\"1\"} 1"));
  CHECK(has(text, "graced_canary_share_ratio{name=\"shop\"} 0.05"));
  CHECK(text.find("hunter2") == std::string::npos);
}

TEST_CASE("an instance that could not be read says so, and nothing that is not known") {
  const std::string text = text_of(shop());
  CHECK(has(text, "graced_up{name=\"blog\"} 0"));
  CHECK(has(text, "graced_unread{name=\"blog\",reason=\"silent\"} 1"));
  CHECK(has(text, "graced_exporter_unread_instances 1"));
  CHECK(text.find("graced_phase{name=\"blog\"") == std::string::npos);
}

TEST_CASE("no label grows with what happens, and no sample is told twice") {
  Look look = shop();
  std::set<std::string> labels;
  for (std::uint64_t generation = 1; generation <= 1000; ++generation) {
    look.instances[0].observed.report.serving = generation;
    look.instances[0].observed.report.workers[0].generation = generation - 1;
    for (const MetricFamily& family : metrics_of(look, {})) {
      std::set<std::string> seen;
      for (const Sample& sample : family.samples) {
        std::string key = family.name + sample.suffix;
        for (const auto& [name, value] : sample.labels) key += "," + name + "=" + value;
        CHECK(seen.insert(key).second);
        labels.insert(key);
      }
    }
  }
  CHECK(labels.size() < 200);
}
