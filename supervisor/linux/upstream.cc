// sd_notify(3), upwards, on change only.
#include "linux/upstream.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

namespace graced {

namespace {

std::string news_of(Phase phase) {
  switch (phase) {
    case Phase::starting:
    case Phase::finished:
      return "";
    case Phase::serving:
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

constexpr std::size_t most_waiting = 64;

}  // namespace

Upstream::Upstream(const std::string& notify_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (notify_socket.empty() || notify_socket.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, notify_socket.data(), notify_socket.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + notify_socket.size());

  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket && ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) == 0)
    socket_ = std::move(socket);
}

void Upstream::tell(Phase phase, const std::string& story) {
  std::string message;
  if (phase != told_phase_) message += news_of(phase);
  if (story != told_story_) message += "STATUS=" + story + "\n";
  if (message.empty()) return;
  told_phase_ = phase;
  told_story_ = story;
  if (!socket_) return;
  if (waiting_.size() == most_waiting) waiting_.pop_front();
  waiting_.push_back(std::move(message));
  flush();
}

void Upstream::flush() {
  while (!waiting_.empty()) {
    const std::string& next = waiting_.front();
    if (::send(socket_.get(), next.data(), next.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
      return;
    waiting_.pop_front();  // sent, or nobody there to send it to
  }
}

}  // namespace graced
