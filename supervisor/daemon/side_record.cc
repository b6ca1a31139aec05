#include "daemon/side_record.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "linux/base/pipe_text.h"

namespace graced {

namespace {

constexpr std::string_view entered = ".";

}  // namespace

void SideRecord::begin(const StartingPlace& place, const std::function<void(int output)>& work,
                       std::function<void()> done, std::vector<int> kept) {
  give_up();
  place_ = place.shown();
  text_.clear();
  done_ = std::move(done);
  const auto work_there = [&](int output) {
    write_all(output, entered);
    work(output);
  };
  process_ = std::make_unique<SideProcess>(place, work_there, std::move(kept));
  heard_ = loop_.on_fd(process_->output(), EPOLLIN, Priority::answer, [this] { hear(); });
}

void SideRecord::wait(Duration most) {
  const Instant until = monotonic_now() + most;
  while (process_ && process_->speaks_within(until - monotonic_now())) hear();
}

std::string_view SideRecord::text() const {
  return std::string_view(text_).substr(std::min(text_.size(), entered.size()));
}

WaitsFor SideRecord::waits_for_place() const {
  if (!is_under_way() || !text_.empty()) return {};
  return {"the directory that graced was started in, " + place_ + ",", "found"};
}

void SideRecord::give_up() {
  heard_ = Source();
  process_.reset();
  done_ = {};
}

void SideRecord::hear() {
  bool ended = false;
  text_ += read_available(process_->output(), ended);
  if (!ended) return;
  const auto done = std::exchange(done_, {});
  give_up();
  done();
}

}  // namespace graced
