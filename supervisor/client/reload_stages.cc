#include "client/reload_stages.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "client/event_text.h"
#include "core/columns.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace graced {

namespace {

// Of a reload; what else happens to the instance is not shown here.
bool is_stage(InstanceEvent::Kind kind) {
  using Kind = InstanceEvent::Kind;
  switch (kind) {
    case Kind::preparing:
    case Kind::checking:
    case Kind::starting:
    case Kind::ready:
    case Kind::probing:
    case Kind::canary:
    case Kind::reloaded:
    case Kind::reload_failed:
      return true;
    case Kind::serving:
    case Kind::promoted:
    case Kind::rolled_back:
    case Kind::replaced:
    case Kind::replacement_failed:
    case Kind::taken:
    case Kind::upgraded:
    case Kind::upgrade_failed:
    case Kind::crashed:
    case Kind::hammered:
    case Kind::gave_up:
    case Kind::stopping:
    case Kind::draining:
    case Kind::gone:
    case Kind::degraded:
    case Kind::down:
    case Kind::recovered:
    case Kind::instance_found:
    case Kind::instance_gone:
    case Kind::events_missed:
    case Kind::other:
      return false;
  }
  return false;
}

}  // namespace

ReloadStages::ReloadStages(const std::string& name, const Terminal& terminal)
    : name_(printable(name)),
      terminal_(terminal),
      began_(std::chrono::steady_clock::now()),
      stage_("a reload is asked for") {}

void ReloadStages::happened(const InstanceEvent* event) {
  if (event != nullptr) {
    if (!is_stage(event->kind)) return;
    InstanceEvent stage = *event;
    stage.by = {};
    stage_ = event_sentence(stage);
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - began_);
  std::string line = fmt::format("{}: {}", name_, stage_);
  if (seconds.count() > 0) line += fmt::format(" ({} s)", seconds.count());
  // The last column is left free: a terminal may go to the next line after it.
  const std::size_t room = terminal_.columns > 1 ? terminal_.columns - 1 : 79;
  while (columns_of(line) > room) {
    while (within_character(line.back())) line.pop_back();
    line.pop_back();
  }
  fmt::print(terminal_.out, "\r\x1b[K{}", line);
  std::fflush(terminal_.out);
  written_ = true;
}

void ReloadStages::clear() {
  if (!std::exchange(written_, false)) return;
  fmt::print(terminal_.out, "\r\x1b[K");
  std::fflush(terminal_.out);
}

}  // namespace graced
