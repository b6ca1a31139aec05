// What has happened to the instance, as it is remembered.
#pragma once

#include <tuple>
#include <utility>

#include "core/history.h"
#include "core/instance_event.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<Asker> {
  static constexpr std::tuple all{
      Named{"how", &Asker::how}, Named{"signal", &Asker::signal},   Named{"user", &Asker::user},
      Named{"pid", &Asker::pid}, Named{"program", &Asker::program},
  };
};

template <>
struct Members<Stages> {
  static constexpr std::tuple all{
      Named{"prepare", &Stages::prepare}, Named{"check", &Stages::check},   Named{"start", &Stages::start},
      Named{"probe", &Stages::probe},     Named{"canary", &Stages::canary},
  };
};

template <>
struct Members<InstanceEvent> {
  static constexpr std::tuple all{
      Worded{"event", &InstanceEvent::kind, &InstanceEvent::other_word},
      Named{"name", &InstanceEvent::name},
      Named{"at", &InstanceEvent::at},
      Named{"monotonic", &InstanceEvent::monotonic},
      Named{"generation", &InstanceEvent::generation},
      Named{"serving", &InstanceEvent::serving},
      Named{"by", &InstanceEvent::by},
      Named{"ok", &InstanceEvent::ok},
      Named{"took", &InstanceEvent::took},
      Named{"stages", &InstanceEvent::stages},
      Named{"worker", &InstanceEvent::worker},
      Named{"worker-pid", &InstanceEvent::worker_pid},
      Named{"status", &InstanceEvent::status},
      Named{"signal", &InstanceEvent::signal},
      Named{"lived", &InstanceEvent::lived},
      Named{"killed", &InstanceEvent::killed},
      Named{"per-mille", &InstanceEvent::per_mille},
      Named{"reason", &InstanceEvent::reason},
  };
};

template <>
struct Members<History> {
  static constexpr std::tuple all{Named{"events", &History::events_}, NotWritten{&History::forgotten_}};

  // Another version may remember more, or longer ones.
  static void complete(History& h) {
    for (InstanceEvent& e : std::exchange(h.events_, {})) h.add(std::move(e));
  }
};

}  // namespace graced
