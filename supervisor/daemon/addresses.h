// What the generations listen on, from the plan of each to its end: their sockets, who of them gets new
// connections, and what becomes of the sockets when nobody needs them any more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/id.h"
#include "daemon/event_pump.h"
#include "daemon/log.h"
#include "daemon/plan.h"
#include "daemon/socket_keeper.h"
#include "handoff/handoff.h"
#include "handoff/listener_watch.h"
#include "handoff/settlements.h"
#include "handoff/socket_sets.h"
#include "linux/event/loop.h"
#include "workers/output_watch.h"
#include "workers/workers.h"

namespace graced {

class ArtefactNumbers;
class ListenerNumbers;
struct TakenParts;

class Addresses {
 public:
  // Borrowed.
  struct Others {
    Loop& loop;
    Log& log;
    OutputWatch& own_output;
    EventPump& pump;
    Workers& workers;
    ServiceManager& manager;
  };
  struct Callbacks {
    std::function<void(WorkerId)> changed;                   // see Handoff
    std::function<void(WorkerId, const std::string&)> note;  // for the log; WorkerId{}: of nobody's
    std::function<void()> closes{};                          // see Handoff
  };
  // spare_place: see make_plan().
  // stored, variables: see SocketKeeper.
  Addresses(Others others, std::string spare_place, std::vector<StoredDescriptor> stored,
            SocketKeeper::Variables variables, Callbacks callbacks);

  // What another image of this process takes over, see kept_addresses.h and linux/upgrade.
  struct Kept;
  Kept kept(ListenerNumbers& listeners, ArtefactNumbers& artefacts) const;
  Addresses(Others others, std::string spare_place, SocketKeeper::Variables variables, Callbacks callbacks,
            Kept kept, const TakenParts& parts);
  std::vector<int> descriptors() const;  // that the other image makes anew

  // From now on the sockets are watched.
  void attend();

  const std::string& spare_place() const { return spare_place_; }
  // Whether the next generation gets a socket of its own there, and new connections are switched to that.
  bool switches(const Plan& plan, const PassedSocket& socket);

  Handoff& handoff() { return handoff_; }
  const Handoff& handoff() const { return handoff_; }
  RestoredListeners& restored() { return keeper_.restored(); }

  // See SocketKeeper.
  bool is_followed();

  void look_again() { listener_watch_.look_again(); }
  void look_at_paths() { listener_watch_.look_at_paths(); }

  // Of the serving generation, of the one that a rollback leads to and of the candidate.
  const Plan& plan_of(GenerationId generation) const { return plans_.at(generation); }
  const Plan* find_plan(GenerationId generation) const;  // null: there is none
  const Plan* serving_plan() const;                      // null: nothing serves yet

  // Where the sockets of the candidate come from; null: it shares those of the serving generation. beside: it
  // is to serve beside that one for a while.
  SocketSets* sets_for(GenerationId candidate, bool beside);

  const Plan& add(GenerationId generation, Plan plan);
  void open(GenerationId generation, HandoffCapabilities& capabilities);
  // After open() of the first generation, see Handoff::take().
  void take(const RunningServer& server, HandoffCapabilities& capabilities);

  void switch_to(GenerationId generation, std::optional<GenerationId> standby);
  std::string join(const Join& join);  // what cannot go over yet, see Handoff::bound_path()
  void proven(GenerationId standby);   // it stands by no more
  void drop(GenerationId candidate);   // it failed

  // A worker that was retired, or whose generation settles, is to serve again with its generation.
  void returns(const WorkerProcess& worker);
  // Why this generation, which leaves, cannot serve again although none of its workers was told; empty: it can.
  std::string closed_to(GenerationId generation) const;
  // The plan of who might have served again is needed no more.
  void forget_who_is_told();

  // Settled follows when its workers have heard from all who have connected.
  void settle(GenerationId generation);
  bool any_settles() const { return settlements_.any(); }

  // Before it gets the drain signal, and after; it is killed; it is gone, and out of the list.
  void told_to_leave(const WorkerProcess& worker);
  void has_been_told(const WorkerProcess& worker);
  void killed(const WorkerProcess& worker) { settlements_.forget(worker.generation, worker.id); }
  void forgotten(const WorkerProcess& worker);

  // Once those have left who kept a name from being bound again. To be asked when a worker has ended.
  void reload_for_free_name();

  // The time that what is left of connections has.
  void keep_time_of_retired();

  // When all is over. What the next graced is to have stays.
  void leave();

 private:
  SocketSets::Callbacks set_callbacks();
  Handoff::Callbacks handoff_callbacks(Callbacks callbacks);
  std::function<void(GenerationId)> when_settled();
  ListenerWatch::Teller when_shut();
  std::function<void(const Listener&)> when_reached();
  void idle(WorkerId worker);
  void open_datagrams(GenerationId generation, const Plan& plan, HandoffCapabilities& capabilities);
  void watch_listeners();
  void listener_shut(const Listener& listener, ListenerWatch::Outcome outcome, const std::string& why);
  void store_adopted();
  Duration quickest_start(GenerationId generation) const;
  void give_up_if_empty(GenerationId generation);
  template <class Unneeded>
  void erase_plans(Unneeded unneeded);
  std::vector<std::shared_ptr<Listener>> listeners() const;

  Others o_;
  std::string spare_place_;
  SocketKeeper keeper_;
  bool attending_ = false;
  std::map<GenerationId, Plan> plans_;
  SocketSets sets_;
  bool starts_at_once_ = false;  // the serving generation
  Handoff handoff_;
  Settlements settlements_;
  ListenerWatch listener_watch_;
};

}  // namespace graced
