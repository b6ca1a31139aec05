#include "daemon/side_record.h"

#include <sys/epoll.h>

#include <utility>

#include "linux/base/pipe_text.h"

namespace graced {

void SideRecord::begin(const Fd& directory, const std::function<void(int output)>& work,
                       std::function<void()> done) {
  give_up();
  text_.clear();
  done_ = std::move(done);
  process_ = std::make_unique<SideProcess>(directory.get(), work);
  heard_ = loop_.on_fd(process_->output(), EPOLLIN, Priority::answer, [this] { hear(); });
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
