// What of a look is a metric, and by which name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exporter/look.h"
#include "exporter/metric_family.h"

namespace graced {

// Of the exporter itself.
struct ServerNumbers {
  std::size_t connections = 0;
  std::size_t event_readers = 0;
  std::uint64_t requests = 0;
  std::uint64_t evicted = 0;  // connections that were closed because they were slow, or too many
};

std::vector<MetricFamily> metrics_of(const Look& look, const ServerNumbers& server);

}  // namespace graced
