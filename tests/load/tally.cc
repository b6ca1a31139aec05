// Counters, times in buckets that widen with what falls into them, and the line of JSON they end as.
#include "tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <numeric>

namespace load {
namespace {

constexpr unsigned step_bits = 7;

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
double milliseconds(Duration d) {
  return seconds(d) * 1e3;
}

std::size_t bucket_of(std::uint64_t ns) {
  if (ns < 1U << step_bits) return static_cast<std::size_t>(ns);
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - step_bits;
  return static_cast<std::size_t>((shift + 1) * (1U << step_bits) + ((ns >> shift) - (1U << step_bits)));
}

// The middle of what falls into it.
Duration middle_of(std::size_t bucket) {
  const std::size_t group = bucket >> step_bits;
  if (group == 0) return Duration{static_cast<std::int64_t>(bucket)};
  const std::uint64_t low = ((bucket & ((1U << step_bits) - 1)) + (1U << step_bits)) << (group - 1);
  return Duration{static_cast<std::int64_t>(low + (std::uint64_t{1} << (group - 1)) / 2)};
}

// The number after `word` at the beginning of the text, which loses both; nullopt if it is not there.
std::optional<std::int64_t> take_number(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return std::nullopt;
  std::int64_t value{};
  const char* const from = text.data() + word.size();
  const auto [stop, error] = std::from_chars(from, text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return value;
}

}  // namespace

std::string_view to_text(Failure kind) {
  switch (kind) {
    case Failure::refused:
      return "refused";
    case Failure::reset:
      return "reset";
    case Failure::eof:
      return "eof";
    case Failure::reused_reset:
      return "reused_reset";
    case Failure::reused_eof:
      return "reused_eof";
    case Failure::partial:
      return "partial";
    case Failure::timeout:
      return "timeout";
    case Failure::http:
      return "http";
    case Failure::body:
      return "body";
    case Failure::local:
      return "local";
  }
  return "";
}

void Histogram::add(Duration latency) {
  latency = std::max(latency, Duration{});
  ++buckets_[bucket_of(static_cast<std::uint64_t>(latency.count()))];
  ++count_;
  sum_ += latency;
  max_ = std::max(max_, latency);
}

Duration Histogram::percentile(double p) const {
  const auto rank = static_cast<std::uint64_t>(p / 100 * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen > rank || (seen == count_ && count_ > 0)) return std::min(middle_of(i), max_);
  }
  return Duration{};
}

Duration Histogram::mean() const {
  return count_ == 0 ? Duration{} : sum_ / static_cast<std::int64_t>(count_);
}

const Answerer* Tally::answered(Duration latency, std::string_view body, Instant now) {
  latency_.add(latency);
  const auto pid = take_number(body, "pid ");
  if (!pid) return nullptr;
  // Newest first: it is the one that answers most.
  const auto known =
      std::find_if(answerers_.rbegin(), answerers_.rend(), [&](const Answerer& a) { return a.pid == *pid; });
  if (known != answerers_.rend()) {
    known->last = now;
    ++known->answers;
    return nullptr;
  }
  const auto generation = take_number(body, " generation ").value_or(-1);
  return &answerers_.emplace_back(Answerer{*pid, generation, now, now, 1});
}

void Tally::failed(Failure kind, Instant now) {
  ++failures_[static_cast<std::size_t>(kind)];
  if (kind != Failure::reused_eof && !first_failure_) first_failure_ = now;
}

std::uint64_t Tally::failures() const {
  return std::accumulate(failures_.begin(), failures_.end(), std::uint64_t{}) -
         failures_[static_cast<std::size_t>(Failure::reused_eof)];
}

std::string Tally::json(Instant end, std::string_view ended_by) const {
  const std::uint64_t soft = failures_[static_cast<std::size_t>(Failure::reused_eof)];
  std::string out = fmt::format(
      R"({{"requests":{},"answered":{},"failed":{},"soft":{},"unasked":{},"connections":{},"ended_by":"{}",)"
      R"("start_ns":{},"seconds":{:.6f},"rate":{:.1f},"failures":{{)",
      answers() + failures() + soft, answers(), failures(), soft, unasked_, connections_, ended_by,
      start_.time_since_epoch().count(), seconds(end - start_),
      static_cast<double>(answers()) / std::max(1e-9, seconds(end - start_)));
  for (std::size_t i = 0; i < failure_kinds; ++i) {
    out += fmt::format(R"({}"{}":{})", i == 0 ? "" : ",", to_text(static_cast<Failure>(i)), failures_[i]);
  }
  out += fmt::format(
      R"(}},"first_failure_s":{},"latency_ms":{{"mean":{:.4f},"p50":{:.4f},"p90":{:.4f},"p99":{:.4f},"p99_9":{:.4f},"max":{:.4f}}},"pids":[)",
      first_failure_ ? fmt::format("{:.6f}", seconds(*first_failure_ - start_)) : "null",
      milliseconds(latency_.mean()), milliseconds(latency_.percentile(50)),
      milliseconds(latency_.percentile(90)), milliseconds(latency_.percentile(99)),
      milliseconds(latency_.percentile(99.9)), milliseconds(latency_.max()));
  for (const Answerer& a : answerers_) {
    out += fmt::format(R"({}{{"pid":{},"generation":{},"first_s":{:.6f},"last_s":{:.6f},"answers":{}}})",
                       &a == &answerers_.front() ? "" : ",", a.pid, a.generation, seconds(a.first - start_),
                       seconds(a.last - start_), a.answers);
  }
  return out + "]}";
}

std::string Tally::human(Instant end) const {
  std::string out = fmt::format(
      "{} answered in {:.1f} s ({:.0f}/s), {} failed, {} processes; p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} "
      "ms",
      answers(), seconds(end - start_), static_cast<double>(answers()) / std::max(1e-9, seconds(end - start_)),
      failures(), answerers_.size(), milliseconds(latency_.percentile(50)),
      milliseconds(latency_.percentile(99)), milliseconds(latency_.max()));
  if (unasked_ > 0) out += fmt::format("; {} never asked", unasked_);
  for (std::size_t i = 0; i < failure_kinds; ++i) {
    if (failures_[i] > 0) out += fmt::format("; {} {}", failures_[i], to_text(static_cast<Failure>(i)));
  }
  return out;
}

}  // namespace load
