#include "daemon/presence.h"

#include <utility>

#include "daemon/plan.h"

namespace graced {

Presence::Presence(const RunOptions& options, std::function<void()> serves)
    : instance_(options.name, control_path(options)), serves_(std::move(serves)) {
  if (options.notify_fd) notify_fd_ = NotifyFd(*options.notify_fd);
  if (options.pid_file) pid_file_.emplace(*options.pid_file);
}

Presence::Presence(Kept kept) : since_(kept.since), instance_(std::move(kept.instance)) {
  if (kept.pid_file) pid_file_.emplace(*kept.pid_file);
}

Presence::Kept Presence::kept() const {
  Kept kept{since_, instance_.kept()};
  if (pid_file_) kept.pid_file = pid_file_->kept();
  return kept;
}

void Presence::serves(OutputWatch& own_output) {
  notify_fd_.ready();
  if (serves_) own_output.change_output(std::exchange(serves_, {}));
}

}  // namespace graced
