// How addresses get from one generation to the next. Listeners are numbers among those of the instance.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "handoff/kept_handoff.h"
#include "handoff/listener_watch.h"
#include "handoff/ready_watch.h"
#include "handoff/socket_sets.h"
#include "kept/adoption_members.h"
#include "kept/connection_members.h"
#include "kept/steering_members.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<Closing> {
  static constexpr std::tuple all{
      Named{"drain-idle", &Closing::drain_idle},
      Named{"any-pause", &Closing::any_pause},
      Named{"last-call", &Closing::last_call},
  };
};

template <>
struct Members<Retirement::Kept> {
  using Kept = Retirement::Kept;
  static constexpr std::tuple all{
      Named{"watch", &Kept::watch},   Named{"closing", &Kept::closing},       Named{"seen", &Kept::seen},
      Named{"looked", &Kept::looked}, Named{"closed-all", &Kept::closed_all},
  };
};

template <>
struct Members<Datagrams::Bound> {
  using Bound = Datagrams::Bound;
  static constexpr std::tuple all{
      Named{"worker", &Bound::worker},
      Named{"generation", &Bound::generation},
      Named{"key", &Bound::key},
  };
};

template <>
struct Members<Datagrams::Emptying> {
  using Emptying = Datagrams::Emptying;
  static constexpr std::tuple all{
      Named{"sockets", &Emptying::sockets},
      Named{"empty-since", &Emptying::empty_since},
  };
};

template <>
struct Members<Datagrams::Retired> {
  using Retired = Datagrams::Retired;
  static constexpr std::tuple all{
      Named{"generation", &Retired::generation}, Named{"since", &Retired::since}, Named{"told", &Retired::told},
      Named{"next-look", &Retired::next_look},   Named{"last", &Retired::last},
  };
};

template <>
struct Members<Datagrams::Kept> {
  using Kept = Datagrams::Kept;
  static constexpr std::tuple all{
      Named{"flows", &Kept::flows},           Named{"bound", &Kept::bound},
      Named{"passed", &Kept::passed},         Named{"serving", &Kept::serving},
      Named{"beside", &Kept::beside},         Named{"joined", &Kept::joined},
      Named{"leaving", &Kept::leaving},       Named{"retired", &Kept::retired},
      Named{"emptying", &Kept::emptying},     Named{"past", &Kept::past},
      Named{"left-alone", &Kept::left_alone}, Named{"tries", &Kept::tries},
      Named{"to-be-told", &Kept::to_be_told},
  };
};

template <>
struct Members<SocketSets::Kept::Set> {
  using Set = SocketSets::Kept::Set;
  static constexpr std::tuple all{
      Named{"number", &Set::number},
      Named{"told", &Set::told},
      Named{"sockets", &Set::sockets},
  };
};

template <>
struct Members<SocketSets::Kept> {
  using Kept = SocketSets::Kept;
  static constexpr std::tuple all{
      Named{"tried", &Kept::tried},
      Named{"steering", &Kept::steering},
      Named{"sets", &Kept::sets},
      Named{"last-address", &Kept::last_address},
      Named{"always-shared", &Kept::always_shared},
      Named{"serving", &Kept::serving},
      Named{"candidate", &Kept::candidate},
  };
};

template <>
struct Members<ListenerWatch::Kept::Watched> {
  using Watched = ListenerWatch::Kept::Watched;
  static constexpr std::tuple all{
      Named{"listener", &Watched::listener},
      Named{"told", &Watched::told},
      Named{"lost", &Watched::lost},
      Named{"path-told", &Watched::path_told},
      Named{"tells-of-arrivals", &Watched::tells_of_arrivals},
  };
};

template <>
struct Members<ListenerWatch::Kept> {
  using Kept = ListenerWatch::Kept;
  static constexpr std::tuple all{
      Named{"watched", &Kept::watched},
  };
};

template <>
struct Members<ReadyWatch::Learned> {
  using Learned = ReadyWatch::Learned;
  static constexpr std::tuple all{
      Named{"waits", &Learned::waits},
      Named{"took", &Learned::took},
  };
};

template <>
struct Members<ReadyWatch::Kept> {
  using Kept = ReadyWatch::Kept;
  static constexpr std::tuple all{
      Named{"learned", &Kept::learned},
      Named{"noted-hidden", &Kept::noted_hidden},
      Named{"noted-belief", &Kept::noted_belief},
      Named{"may-say-ready", &Kept::may_say_ready},
  };
};

template <>
struct Members<Handoff::Kept::Sharing> {
  using Sharing = Handoff::Kept::Sharing;
  static constexpr std::tuple all{
      Named{"candidate", &Sharing::candidate},
      Named{"per-mille", &Sharing::per_mille},
  };
};

template <>
struct Members<Handoff::Kept::Worker> {
  using Worker = Handoff::Kept::Worker;
  static constexpr std::tuple all{
      Named{"worker", &Worker::worker},
      Named{"generation", &Worker::generation},
      Named{"pid", &Worker::pid},
      Named{"adoption", &Worker::adoption},
      Carried{"promised", &Worker::promised},
      Named{"heard", &Worker::heard},
      Named{"seen-changes", &Worker::seen_changes},
      Named{"changed", &Worker::changed},
      Named{"kept-queues", &Worker::kept_queues},
      Named{"ready", &Worker::ready},
      Named{"joined", &Worker::joined},
      Named{"leaves", &Worker::leaves},
      Named{"process-gone", &Worker::process_gone},
      Named{"orphan", &Worker::orphan},
      Named{"taken", &Worker::taken},
  };
};

template <>
struct Members<Handoff::Kept> {
  using Kept = Handoff::Kept;
  static constexpr std::tuple all{
      Named{"queues-migrate", &Kept::queues_migrate},
      Named{"names", &Kept::names},
      Named{"groups", &Kept::groups},
      Named{"listeners", &Kept::listeners},
      Named{"tracked", &Kept::tracked},
      Carried{"restored", &Kept::restored},
      Named{"told-held", &Kept::told_held},
      Named{"taken-keys", &Kept::taken_keys},
      Named{"serving", &Kept::serving},
      Named{"standby", &Kept::standby},
      Named{"sharing", &Kept::sharing},
      Named{"batches", &Kept::batches},
      Named{"beside", &Kept::beside},
      Named{"retirements", &Kept::retirements},
      Named{"datagrams", &Kept::datagrams},
  };

  static std::optional<std::string> flaw(const Kept& kept) {
    const auto unknown = [&](const AdoptedSocket::Kept& socket) {
      const auto is_unknown = [&](unsigned number) { return number >= kept.names.names.size(); };
      return (socket.name && is_unknown(*socket.name)) || std::ranges::any_of(socket.second_names, is_unknown);
    };
    for (const Handoff::Kept::Worker& w : kept.tracked) {
      const bool adopted = w.adoption && std::ranges::any_of(w.adoption->worker.sockets, unknown);
      if (adopted || std::ranges::any_of(w.taken, unknown))
        return fmt::format("worker {} has a name that is not among the names", w.worker.value);
    }
    return std::nullopt;
  }
};

}  // namespace graced
