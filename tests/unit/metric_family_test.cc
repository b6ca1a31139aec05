// What Prometheus reads, to the letter, and which of its formats it gets.
#include <doctest/doctest.h>

#include "exporter/metric_family.h"

using namespace graced;

namespace {

std::vector<MetricFamily> some() {
  return {
      {.name = "graced_up",
       .help = "Whether it is up.",
       .samples = {{.labels = {{"name", "shop"}}, .value = 1}}},
      {.name = "graced_reloads",
       .type = MetricType::counter,
       .help = "Reloads.",
       .samples = {{.labels = {{"name", "sh\"o\\p\n\xff"}, {"outcome", "ok"}}, .value = 3}}},
      {.name = "graced_nothing", .help = "Nobody has it."},
      {.name = "graced_instance", .type = MetricType::info, .help = "About it.", .samples = {{.value = 1}}},
      {.name = "graced_took_seconds",
       .type = MetricType::histogram,
       .help = "How long.",
       .samples = {{.suffix = "_bucket", .labels = {{"le", "0.1"}}, .value = 1},
                   {.suffix = "_sum", .value = 0.05},
                   {.suffix = "_count", .value = 1}}},
  };
}

}  // namespace

TEST_CASE("metrics are written as Prometheus reads them, and a family without a sample is left out") {
  CHECK(metric_text(some(), TextFormat::prometheus) ==
        "# HELP graced_up Whether it is up.\n"
        "# TYPE graced_up gauge\n"
        "graced_up{name=\"shop\"} 1\n"
        "# HELP graced_reloads_total Reloads.\n"
        "# TYPE graced_reloads_total counter\n"
        "graced_reloads_total{name=\"sh\\\"o\\\\p\\n\xef\xbf\xbd\",outcome=\"ok\"} 3\n"
        "# HELP graced_instance_info About it.\n"
        "# TYPE graced_instance_info gauge\n"
        "graced_instance_info 1\n"
        "# HELP graced_took_seconds How long.\n"
        "# TYPE graced_took_seconds histogram\n"
        "graced_took_seconds_bucket{le=\"0.1\"} 1\n"
        "graced_took_seconds_sum 0.05\n"
        "graced_took_seconds_count 1\n");
}

TEST_CASE("OpenMetrics names a counter without its ending, knows infos, and says where it ends") {
  const std::string text = metric_text(some(), TextFormat::open_metrics);
  CHECK(text.find("# TYPE graced_reloads counter\ngraced_reloads_total{") != std::string::npos);
  CHECK(text.find("# TYPE graced_instance info\ngraced_instance_info 1\n") != std::string::npos);
  CHECK(text.ends_with("\n# EOF\n"));
}

TEST_CASE("OpenMetrics is for those who like it at least as well as plain text") {
  CHECK(wanted_format("") == TextFormat::prometheus);
  CHECK(wanted_format("*/*") == TextFormat::prometheus);
  CHECK(wanted_format("text/html, text/plain;q=0.5") == TextFormat::prometheus);
  CHECK(wanted_format("application/openmetrics-text") == TextFormat::open_metrics);
  CHECK(wanted_format(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == TextFormat::open_metrics);
  CHECK(wanted_format("application/openmetrics-text; q=0.2, text/plain; q=0.9") == TextFormat::prometheus);
  CHECK(wanted_format("application/openmetrics-text;q=0") == TextFormat::prometheus);
  CHECK(wanted_format(",;,q=;application/openmetrics-text;q=x") == TextFormat::prometheus);
}
