// The two formats differ in the names of types, in where "_total" belongs, and in how they end.
#include "exporter/metric_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

#include "core/utf8.h"

namespace graced {
namespace {

constexpr std::string_view open_metrics_type = "application/openmetrics-text";

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What stands before the next separator; the text goes on behind it.
std::string_view take_until(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return without_blanks(part);
}

// How much a range of an Accept header is wanted; none: it is not about this type.
std::optional<double> quality(std::string_view range, std::string_view type) {
  if (take_until(range, ';') != type) return std::nullopt;
  while (!range.empty()) {
    const auto parameter = take_until(range, ';');
    double q = 0;
    if (!parameter.starts_with("q=")) continue;
    const auto* const end = parameter.data() + parameter.size();
    return std::from_chars(parameter.data() + 2, end, q).ec == std::errc{} ? q : 0;
  }
  return 1;
}

double best_quality(std::string_view accept, std::string_view type) {
  double best = 0;
  while (!accept.empty())
    if (const auto q = quality(take_until(accept, ','), type)) best = std::max(best, *q);
  return best;
}

std::string escaped(std::string_view text, bool quotes) {
  std::string safe;
  while (!text.empty()) {
    const auto length = decode_utf8(text).length;
    if (length == 0)
      safe += "\xef\xbf\xbd";
    else if (text[0] == '\n')
      safe += "\\n";
    else if (text[0] == '\\' || (quotes && text[0] == '"'))
      safe += fmt::format("\\{}", text[0]);
    else
      safe += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return safe;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string_view type_name(MetricType type, TextFormat format) {
  switch (type) {
    case MetricType::gauge:
      return "gauge";
    case MetricType::counter:
      return "counter";
    case MetricType::histogram:
      return "histogram";
    case MetricType::info:
      return format == TextFormat::open_metrics ? "info" : "gauge";
  }
  return "";
}

std::string_view suffix_of(MetricType type) {
  return type == MetricType::counter ? "_total" : type == MetricType::info ? "_info" : "";
}

}  // namespace

TextFormat wanted_format(std::string_view accept) {
  const double open = best_quality(accept, open_metrics_type);
  const double plain = std::max(best_quality(accept, "text/plain"), best_quality(accept, "text/*"));
  return open > 0 && open >= plain ? TextFormat::open_metrics : TextFormat::prometheus;
}

std::string_view content_type(TextFormat format) {
  return format == TextFormat::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

std::string metric_text(const std::vector<MetricFamily>& families, TextFormat format) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const MetricFamily& family : families) {
    if (family.samples.empty()) continue;
    const std::string sampled = family.name + std::string(suffix_of(family.type));
    const std::string& described = format == TextFormat::open_metrics ? family.name : sampled;
    fmt::format_to(out, "# HELP {} {}\n", described, escaped(family.help, format == TextFormat::open_metrics));
    fmt::format_to(out, "# TYPE {} {}\n", described, type_name(family.type, format));
    for (const Sample& sample : family.samples) {
      text += sampled;
      text += sample.suffix;
      char before = '{';
      for (const auto& [name, value] : sample.labels) {
        fmt::format_to(out, "{}{}=\"{}\"", before, name, escaped(value, true));
        before = ',';
      }
      fmt::format_to(out, "{} {}\n", sample.labels.empty() ? "" : "}", number(sample.value));
    }
  }
  if (format == TextFormat::open_metrics) text += "# EOF\n";
  return text;
}

}  // namespace graced
