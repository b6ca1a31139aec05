// sd_notify(3), upwards, on change only.
#include "linux/manager/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "core/number.h"
#include "linux/base/descriptor_message.h"
#include "linux/base/unix_address.h"

namespace graced {

namespace {

// An end that is this much later than the one told before is worth a message.
constexpr Duration worth_telling = 5s;

// On top of what graced allows itself: a killed process must be gone, and graced may be late.
constexpr Duration allowance = 10s;

// For what may take for ever; the manager's arithmetic ends before ours.
constexpr Duration for_ever = std::chrono::years(1);

std::string news_of(Phase phase) {
  switch (phase) {
    case Phase::starting:
    case Phase::finished:
      return "";
    case Phase::serving:
    case Phase::degraded:
    case Phase::down:
      return "READY=1\n";
    case Phase::reloading: {
      // CLOCK_MONOTONIC, which is what steady_clock reads.
      const auto now = std::chrono::steady_clock::now().time_since_epoch();
      return fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n",
                         std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    }
    case Phase::stopping:
      return "STOPPING=1\n";
  }
  return "";
}

// More than there are sockets to store, and no more than a stuck manager should cost.
constexpr std::size_t most_waiting = 4096;

// Half of the time after which the manager takes graced for hung.
std::optional<Duration> watchdog_interval(const ServiceManagerVariables& variables) {
  constexpr std::uint64_t most = std::chrono::microseconds(std::chrono::years(1)).count();
  const auto limit = parse_number<std::uint64_t>(variables.watchdog_usec, 2, most);
  const bool ours = variables.watchdog_pid.empty() || variables.watchdog_pid == std::to_string(::getpid());
  if (!limit || !ours) return std::nullopt;
  return std::chrono::microseconds(*limit / 2);
}

}  // namespace

ServiceManager::ServiceManager(const ServiceManagerVariables& variables)
    : watchdog_(watchdog_interval(variables)) {
  if (variables.notify_socket.empty()) return;
  const auto address = unix_address(variables.notify_socket);
  if (!address) return;
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket && ::connect(socket.get(), address->get(), address->length) == 0) socket_ = std::move(socket);
}

ServiceManager::ServiceManager(const ServiceManagerVariables& variables, Kept kept)
    : ServiceManager(variables) {
  told_phase_ = kept.phase;
  told_story_ = std::move(kept.story);
  told_error_ = kept.error;
  told_limit_ = kept.limit;
  for (Kept::Message& m : kept.waiting) waiting_.push_back({std::move(m.text), Fd(m.fd)});
}

ServiceManager::Kept ServiceManager::kept() const {
  Kept kept{told_phase_, told_story_, told_error_, told_limit_};
  for (const Message& m : waiting_) kept.waiting.push_back({m.text, m.fd.get()});
  return kept;
}

void ServiceManager::tell(const ServiceManagerNews& news, Instant now) {
  std::string message;
  if (news.phase != told_phase_) {
    message += news_of(news.phase);
    // What was asked for the phase before was given to the watchdog, too: this takes it back.
    if (news.phase == Phase::serving && watchdog_) message += "WATCHDOG=1\n";
    if (news.phase == Phase::finished) message += fmt::format("EXIT_STATUS={}\n", news.exit_status);
    told_phase_ = news.phase;
    told_limit_.reset();
  }
  if (news.story != told_story_) message += "STATUS=" + news.story + "\n";
  if (news.error != told_error_) message += fmt::format("ERRNO={}\n", news.error);
  if (news.limit && (!told_limit_ || *news.limit > after(*told_limit_, worth_telling))) {
    const Duration left =
        *news.limit == no_deadline ? for_ever : std::max<Duration>(*news.limit - now, 0s) + allowance;
    message += fmt::format("EXTEND_TIMEOUT_USEC={}\n",
                           std::chrono::duration_cast<std::chrono::microseconds>(left).count());
    told_limit_ = news.limit;
  }
  told_story_ = news.story;
  told_error_ = news.error;
  if (!message.empty()) send(std::move(message));
}

void ServiceManager::tell_alive() {
  if (!behind()) send("WATCHDOG=1\n");
}

void ServiceManager::send(std::string message) {
  send_descriptor(std::move(message), Fd());
}

void ServiceManager::send_descriptor(std::string message, Fd fd) {
  if (!socket_) return;
  if (waiting_.size() == most_waiting) waiting_.pop_front();
  waiting_.push_back({std::move(message), std::move(fd)});
  flush();
}

void ServiceManager::flush() {
  while (!waiting_.empty() && deliver(waiting_.front())) waiting_.pop_front();
}

// False: it cannot go out now. One that never can, as nobody is there, counts as sent.
bool ServiceManager::deliver(const Message& message) {
  return send_message(socket_.get(), message.text, message.fd.get()) >= 0 || errno != EAGAIN;
}

}  // namespace graced
