#include "hooks/gate_runner.h"

#include <fmt/format.h>

#include <utility>

#include "linux/proc/send_signal.h"

namespace graced {

void GateRunner::began(GenerationId candidate, unsigned step, HookRunner::Process process) {
  running_ = Running{candidate, step, process};
  if (!limit_) {
    limit_ = loop_.timer([this] {
      running_->timed_out = true;
      kill_all_below(running_->process.pid);
    });
  }
  limit_.fire_at(monotonic_now() + time_limit);
}

void GateRunner::ended(const Exit& exit, const std::function<void()>& reap) {
  Running gone = *std::exchange(running_, std::nullopt);
  limit_.fire_at(no_deadline);
  const auto words = gone.process.end(reap);
  if (gone.timed_out)
    return told_(gone.candidate, gone.step, fmt::format("killed after {}", to_text(time_limit)));
  if (exit.status == 0) return told_(gone.candidate, gone.step, std::nullopt);
  told_(gone.candidate, gone.step, words.empty() ? exit.how : words.back());
}

void GateRunner::give_up(GenerationId candidate) {
  if (!running_ || running_->candidate != candidate) return;
  kill_all_below(running_->process.pid);
  running_->process.outputs.release();
  running_.reset();
  limit_.fire_at(no_deadline);
}

}  // namespace graced
