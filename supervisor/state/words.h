// The words of what is one of several. A word never changes once a version has written it, whatever people are
// shown.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/instance_event.h"
#include "core/policy.h"
#include "core/status.h"

namespace graced {

constexpr std::string_view state_word(RestartRule rule) {
  switch (rule) {
    case RestartRule::always:
      return "always";
    case RestartRule::on_failure:
      return "on-failure";
    case RestartRule::never:
      return "never";
  }
  return {};
}

constexpr std::string_view state_word(ReadyRule rule) {
  switch (rule) {
    case ReadyRule::automatic:
      return "automatic";
    case ReadyRule::notify:
      return "notify";
    case ReadyRule::listen:
      return "listen";
    case ReadyRule::after:
      return "after";
  }
  return {};
}

constexpr std::string_view state_word(DrainRule rule) {
  switch (rule) {
    case DrainRule::signal:
      return "signal";
    case DrainRule::idle:
      return "idle";
  }
  return {};
}

constexpr std::string_view state_word(WorkerState state) {
  switch (state) {
    case WorkerState::starting:
      return "starting";
    case WorkerState::ready:
      return "ready";
    case WorkerState::standby:
      return "standby";
    case WorkerState::settling:
      return "settling";
    case WorkerState::retiring:
      return "retiring";
    case WorkerState::draining:
      return "draining";
    case WorkerState::killed:
      return "killed";
  }
  return {};
}

constexpr std::string_view state_word(Phase phase) {
  switch (phase) {
    case Phase::starting:
      return "starting";
    case Phase::serving:
      return "serving";
    case Phase::degraded:
      return "degraded";
    case Phase::down:
      return "down";
    case Phase::reloading:
      return "reloading";
    case Phase::stopping:
      return "stopping";
    case Phase::finished:
      return "finished";
  }
  return {};
}

// Those that programs are told, which do not change either.
inline std::string_view state_word(InstanceEvent::Kind kind) {
  return kind == InstanceEvent::Kind::other ? std::string_view{} : to_text(kind);
}

// All of them, as they are numbered.
template <class Kind>
std::vector<std::string_view> state_words() {
  std::vector<std::string_view> words;
  for (int i = 0; !state_word(static_cast<Kind>(i)).empty(); ++i)
    words.push_back(state_word(static_cast<Kind>(i)));
  return words;
}

template <class Kind>
std::optional<Kind> from_state_word(std::string_view text) {
  for (int i = 0; !state_word(static_cast<Kind>(i)).empty(); ++i) {
    if (state_word(static_cast<Kind>(i)) == text) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

}  // namespace graced
