#include "core/instance_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/printable.h"
#include "core/timestamp.h"
#include "core/utf8.h"

namespace graced {

namespace {

constexpr std::size_t longest_reason = 4096;

// By InstanceEvent::Kind.
constexpr auto kinds = std::to_array<std::string_view>({"serving",
                                                        "reloaded",
                                                        "reload-failed",
                                                        "promoted",
                                                        "rolled-back",
                                                        "replaced",
                                                        "replacement-failed",
                                                        "taken",
                                                        "upgraded",
                                                        "upgrade-failed",
                                                        "crashed",
                                                        "hammered",
                                                        "gave-up",
                                                        "stopping",
                                                        "preparing",
                                                        "checking",
                                                        "starting",
                                                        "ready",
                                                        "probing",
                                                        "canary",
                                                        "draining",
                                                        "gone",
                                                        "degraded",
                                                        "down",
                                                        "recovered",
                                                        "instance-found",
                                                        "instance-gone",
                                                        "events-missed"});
static_assert(kinds.size() == static_cast<std::size_t>(InstanceEvent::Kind::other));

constexpr auto remembered = static_cast<std::size_t>(InstanceEvent::Kind::preparing);

std::string shown(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    safe += printable(text.substr(0, end));
    if (end < text.size()) safe += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (safe.size() <= longest_reason) return safe;
  return std::string(beginning_of(safe, longest_reason)) + "…";
}

std::string number(std::optional<std::uint64_t> value) {
  return value ? fmt::format("{}", *value) : "";
}

}  // namespace

std::string_view to_text(InstanceEvent::Kind kind) {
  const auto at = static_cast<std::size_t>(kind);
  return at < kinds.size() ? kinds[at] : "other";
}

std::string_view word_of(const InstanceEvent& event) {
  return event.kind == InstanceEvent::Kind::other ? event.other_word : to_text(event.kind);
}

std::span<const std::string_view> instance_event_kinds() {
  return kinds;
}

std::span<const std::string_view> remembered_event_kinds() {
  return std::span(kinds).first(remembered);
}

bool is_remembered(InstanceEvent::Kind kind) {
  return static_cast<std::size_t>(kind) < remembered;
}

std::string_view reason_line(const InstanceEvent& event) {
  return std::string_view(event.reason).substr(0, event.reason.find('\n'));
}

std::vector<std::string> last_lines(const InstanceEvent& event) {
  std::vector<std::string> lines;
  std::string_view text = event.reason;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    text.remove_prefix(end + 1);
    if (text.empty()) break;
    lines.emplace_back(text.substr(0, text.find('\n')));
  }
  return lines;
}

std::optional<InstanceEvent::Kind> instance_event_kind(std::string_view text) {
  const auto at = std::ranges::find(kinds, text);
  if (at == kinds.end()) return std::nullopt;
  return static_cast<InstanceEvent::Kind>(at - kinds.begin());
}

std::vector<std::string> variables_of(const InstanceEvent& event) {
  return {
      fmt::format("GRACED_EVENT={}", word_of(event)),
      fmt::format("GRACED_EVENT_TIME={}", to_timestamp(event.at)),
      fmt::format("GRACED_GENERATION={}", number(event.generation)),
      fmt::format("GRACED_SERVING={}", number(event.serving)),
      fmt::format("GRACED_REASON={}", shown(event.reason)),
  };
}

}  // namespace graced
