// Metrics as plain values, and as the text that Prometheus reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"

namespace graced {

enum class MetricType : std::uint8_t { gauge, counter, histogram, info };

struct Sample {
  std::string suffix{};  // "_bucket", "_sum", "_count" of a histogram; else empty
  std::vector<std::pair<std::string, std::string>> labels{};
  double value = 0;
};

struct MetricFamily {
  std::string name;  // without "_total" or "_info", which the text adds
  MetricType type = MetricType::gauge;
  std::string help;  // one line
  std::vector<Sample> samples{};
};

// The unit of times in metrics.
inline double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

enum class TextFormat : std::uint8_t { prometheus, open_metrics };

// The format that an Accept header prefers; Prometheus' own where it says nothing of either.
TextFormat wanted_format(std::string_view accept);

// For Content-Type.
std::string_view content_type(TextFormat format);

// All of them, those without a sample left out. Label values that are not UTF-8 are made so.
std::string metric_text(const std::vector<MetricFamily>& families, TextFormat format);

}  // namespace graced
