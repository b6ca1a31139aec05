#include "exporter/time_axis.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace graced {
namespace {

constexpr double tenths = 10;  // what is shorter than a tenth of a second is hardly seen

double room_for(Duration between) {
  return std::log2(1 + tenths * std::chrono::duration<double>(between).count());
}

}  // namespace

TimeAxis::TimeAxis(std::vector<Instant> moments) : moments_(std::move(moments)) {
  std::ranges::sort(moments_);
  moments_.erase(std::unique(moments_.begin(), moments_.end()), moments_.end());
  double all = 0;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    if (i > 0) all += room_for(moments_[i] - moments_[i - 1]);
    places_.push_back(all);
  }
  for (double& place : places_) place = all > 0 ? place / all * 100 : 0;
}

double TimeAxis::at(Instant moment) const {
  const auto found = std::ranges::lower_bound(moments_, moment);
  return found == moments_.end() ? 100 : places_[static_cast<std::size_t>(found - moments_.begin())];
}

std::vector<Instant> TimeAxis::labels(double apart) const {
  std::vector<Instant> chosen;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    const bool last = i + 1 == moments_.size();
    const bool room = chosen.empty() || places_[i] - at(chosen.back()) >= apart;
    if (room && (last || i == 0 || 100 - places_[i] >= apart)) chosen.push_back(moments_[i]);
  }
  return chosen;
}

}  // namespace graced
