// The metrics of one instance, in parts of one subject each.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/look.h"
#include "exporter/metric_family.h"

namespace graced {

// Families by name, in the order in which they were begun.
class MetricBook {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // The family that further samples are for.
  MetricBook& family(std::string_view name, MetricType type, std::string_view help);
  MetricBook& add(double value, Labels labels = {}, std::string_view suffix = "");

  std::vector<MetricFamily> take() && { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
  std::size_t current_ = 0;
};

// All take a look as well, of which the instance is one.
void add_state(MetricBook& book, const Seen& seen);
void add_generations(MetricBook& book, const Seen& seen, Instant now);
void add_reloads(MetricBook& book, const Seen& seen);
void add_probes(MetricBook& book, const Seen& seen);
void add_canary(MetricBook& book, const Seen& seen);
void add_addresses(MetricBook& book, const Seen& seen);
void add_datagrams(MetricBook& book, const Seen& seen);
void add_usage(MetricBook& book, const Seen& seen);

}  // namespace graced
