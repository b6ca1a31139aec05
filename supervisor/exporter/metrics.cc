#include "exporter/metrics.h"

#include <algorithm>

#include "exporter/instance_metrics.h"

namespace graced {
namespace {

void add_exporter(MetricBook& book, const Look& look, const ServerNumbers& server) {
  book.family("graced_exporter_build", MetricType::info, "Version of graced-exporter.")
      .add(1, {{"version", GRACED_VERSION}});
  const auto unread = std::ranges::count_if(look.instances, [](const Seen& s) { return !s.read(); });
  book.family("graced_exporter_instances", MetricType::gauge, "Instances found on this machine.")
      .add(static_cast<double>(look.instances.size()));
  book.family("graced_exporter_unread_instances", MetricType::gauge, "Those of them that could not be read.")
      .add(static_cast<double>(unread));
  book.family("graced_exporter_look_seconds", MetricType::gauge, "How long it took to look at all instances.")
      .add(seconds(look.took));
  book.family("graced_exporter_connections", MetricType::gauge, "Connections of clients of the exporter.")
      .add(static_cast<double>(server.connections));
  book.family("graced_exporter_event_readers", MetricType::gauge, "Those that read events.")
      .add(static_cast<double>(server.event_readers));
  book.family("graced_exporter_requests", MetricType::counter, "Requests answered.")
      .add(static_cast<double>(server.requests));
  book.family("graced_exporter_evicted_connections", MetricType::counter,
              "Connections closed because they were slow, or because there were too many.")
      .add(static_cast<double>(server.evicted));
}

}  // namespace

std::vector<MetricFamily> metrics_of(const Look& look, const ServerNumbers& server) {
  MetricBook book;
  add_exporter(book, look, server);
  for (const Seen& seen : look.instances) {
    add_state(book, seen);
    if (!seen.read()) continue;
    add_generations(book, seen, look.begun);
    add_reloads(book, seen);
    add_probes(book, seen);
    add_canary(book, seen);
    add_addresses(book, seen);
    add_datagrams(book, seen);
    add_usage(book, seen);
  }
  return std::move(book).take();
}

}  // namespace graced
