// One assignment a line, the last of a kind counts.
#include "core/notify_text.h"

#include <charconv>

namespace graced {

namespace {

constexpr std::size_t longest_status = 512;

std::string harmless(std::string_view text) {
  std::string clean(text.substr(0, longest_status));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return clean;
}

std::optional<Duration> microseconds(std::string_view digits) {
  std::uint64_t us = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), us);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  constexpr auto most = static_cast<std::uint64_t>(std::chrono::microseconds::max().count() / 1000);
  if (us > most) return infinity;
  return std::chrono::microseconds(us);
}

}  // namespace

NotifyText parse_notify_text(std::string_view datagram) {
  NotifyText said;
  while (!datagram.empty()) {
    const std::size_t end = std::min(datagram.find('\n'), datagram.size());
    const std::string_view line = datagram.substr(0, end);
    datagram.remove_prefix(std::min(end + 1, datagram.size()));

    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "READY" && value == "1") said.ready = true;
    if (key == "STOPPING" && value == "1") said.stopping = true;
    if (key == "STATUS") said.status = harmless(value);
    if (key == "EXTEND_TIMEOUT_USEC") {
      if (const auto d = microseconds(value)) said.extend_timeout = d;
    }
  }
  return said;
}

}  // namespace graced
