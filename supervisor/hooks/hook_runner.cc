#include "hooks/hook_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "json/event_json.h"
#include "linux/base/memory_file.h"
#include "linux/proc/send_signal.h"
#include "options/shell_words.h"

namespace graced {

void HookRunner::happened(const InstanceEvent& event) {
  std::shared_ptr<const InstanceEvent> shared;
  for (const Hook& hook : hooks_) {
    if (std::ranges::find(hook.on, event.kind) == hook.on.end()) continue;
    if (!shared) shared = std::make_shared<const InstanceEvent>(event);
    if (queue_.size() == longest_queue) {
      callbacks_.note(
          0,
          fmt::format("hook for {} ({}) is left out: {} others wait", to_text(queue_.front().event->kind),
                      join_shell_words(queue_.front().command), longest_queue),
          true);
      queue_.pop_front();
    }
    queue_.push_back({hook.command, shared});
  }
  start_next();
}

void HookRunner::run(std::vector<std::string> command, const InstanceEvent& event) {
  queue_.push_back({std::move(command), std::make_shared<const InstanceEvent>(event)});
  start_next();
}

void HookRunner::start_next() {
  while (!running_ && !queue_.empty()) {
    const Waiting next = std::move(queue_.front());
    queue_.pop_front();
    start(next);
  }
  if (!busy() && done_) std::exchange(done_, {})();
}

void HookRunner::start(const Waiting& next) {
  const std::string what =
      fmt::format("hook for {} ({})", to_text(next.event->kind), join_shell_words(next.command));
  try {
    const Fd input = make_memory_file("graced-event", event_json(*next.event));
    const Process process = callbacks_.start(next.command, variables_of(*next.event), input.get());
    const pid_t pid = process.pid;
    running_.emplace(Running{process, what, monotonic_now()});
    if (!limit_) limit_ = loop_.timer([this] { out_of_time(); });
    limit_.fire_at(running_->began + time_limit);
    callbacks_.note(pid, what + " started", false);
  } catch (const std::exception& why) {
    callbacks_.note(0, fmt::format("{} could not be started: {}", what, why.what()), true);
  }
}

void HookRunner::out_of_time() {
  running_->timed_out = true;
  kill_all_below(running_->process.pid);
}

std::vector<std::string> HookRunner::Process::end(const std::function<void()>& reap) {
  kill_all_below(pid);
  outputs.drain();
  reap();
  std::vector<std::string> words = outputs.last_words();
  outputs.release();
  return words;
}

void HookRunner::ended(const Exit& exit, const std::function<void()>& reap) {
  Running gone = *std::exchange(running_, std::nullopt);
  limit_.fire_at(no_deadline);
  const auto words = gone.process.end(reap);
  if (gone.timed_out) {
    callbacks_.note(gone.process.pid, fmt::format("{} was killed after {}", gone.what, to_text(time_limit)),
                    true);
  } else if (exit.status != 0) {
    callbacks_.note(gone.process.pid,
                    fmt::format("{} {}{}", gone.what, exit.how, words.empty() ? "" : ": " + words.back()),
                    true);
  }
  start_next();
}

void HookRunner::finish(std::function<void()> done) {
  done_ = std::move(done);
  start_next();
}

void HookRunner::give_up() {
  queue_.clear();
  if (!running_) return start_next();
  kill_all_below(running_->process.pid);
  running_->process.outputs.release();
  running_.reset();
  limit_.fire_at(no_deadline);
  start_next();
}

}  // namespace graced
