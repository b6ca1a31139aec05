// How addresses get from one generation to the next where each generation has sockets of its own: whom
// the kernel gives new connections, what an adopted worker listens on, and when an old one has
// finished. Decides nothing: what it notices it tells to its Callbacks.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "handoff/datagrams.h"
#include "handoff/retirements.h"
#include "linux/adoption/adopted_names.h"
#include "linux/adoption/adoption.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/sockets/listener.h"
#include "linux/steering/steering_groups.h"
#include "linux/takeover/parked.h"

namespace graced {

class Handoff {
 public:
  struct Callbacks {
    std::function<void(WorkerId)> idle;     // a retired worker has finished, or cannot be watched
    std::function<void(WorkerId)> changed;  // an adopted worker has bound something, or listens
    std::function<void(WorkerId, const std::string&)> note;  // for the log; WorkerId{}: of nobody's
    std::function<void()> held;                              // what adopted_sockets() tells has changed
    std::function<void(GenerationId)> emptied;               // see Datagrams::let_go()

    // Sockets are about to be closed that what comes to an address is shared out to: whoever has duplicates of
    // them must let go of those first. May be empty.
    std::function<void()> closes{};
  };

  Handoff(Loop& loop, Callbacks callbacks);

  // Before it is first needed.
  void steer_by(const SteeringProbe& probe) {
    groups_.steer_by(probe.method);
    queues_migrate_ = probe.migrates;
  }

  Datagrams& datagrams() { return datagrams_; }
  const Datagrams& datagrams() const { return datagrams_; }

  // The sockets that this generation's workers are passed, and no other's: tcp. For udp see Datagrams.
  void opened(GenerationId generation, std::vector<std::shared_ptr<Listener>> listeners);

  // Sockets that an earlier graced had adopted: connections wait there until the first generation listens. What
  // is no listening socket is closed.
  void restore(std::vector<Fd> sockets);
  bool keeps_restored() const { return !restored_.empty(); }

  // A server that runs already, and is to be taken over: it serves until the first switch, as taken_worker of
  // taken_generation. To be called before any worker is started. Throws std::system_error naming the step, and
  // then all is as before.
  void take(const RunningServer& server, const SteeringProbe& steering);
  // No generation has served, and none of their workers is left: it is as it was before take(). A line for what
  // could not be restored.
  std::vector<std::string> give_back();

  // `notifications` from its spawn; none: it is not adopted. `wait_killable`: see AdoptionCapability.
  void started(WorkerId worker, GenerationId generation, pid_t pid, Fd notifications, bool wait_killable);

  // An adopted worker that asks to be let bind, listen or the like is answered, as it is when its turn in the
  // loop comes: to be called before one judges by what it has. True: that has changed.
  bool catch_up(WorkerId worker);

  // New connections go to this generation from now on. standby: this one gets none meanwhile, and may be
  // switched to again.
  void switch_to(GenerationId generation, std::optional<GenerationId> standby = {});

  // Its workers, so many, are started a few at a time; until the last ones are it need not have the addresses
  // that only some workers of the serving generation have.
  void comes_in_batches(GenerationId candidate, unsigned workers) { batches_ = {candidate, workers}; }
  // Those of this candidate's workers that are ready get new connections as well, beside those of the serving
  // generation but for `leaving`, which get none from now on.
  void join(GenerationId candidate, const std::vector<WorkerId>& leaving);
  // The candidate failed: what has joined gets no new connections any more.
  void leave_out(GenerationId candidate);
  // A path that workers of this generation have bound, and which leads to one generation at a time; empty:
  // none.
  std::string bound_path(GenerationId generation) const;

  // Nobody stands by any more: where only that generation listens nobody is let in.
  void nobody_stands_by();

  // So many of all new connections go to this candidate's sockets, whoever gets the others, until the switch;
  // also to those that it opens later. 0: none does. False: it has no address where they can be shared, which
  // takes a TCP address that the serving generation has as well. Throws std::system_error; then 0 is due.
  bool share(GenerationId candidate, unsigned per_mille);
  std::optional<ShareCounts> share_counts() const { return groups_.share_counts(); }  // see SteeringGroups

  // What is connected from these ports, see ProbeChoice, reaches this candidate's sockets, or the serving
  // generation's, whoever gets other connections; until the next call, or the switch. None: nobody looks.
  // Before the first generation serves everybody reaches its sockets.
  void probe(GenerationId generation, std::span<const std::uint16_t> first_ports);
  // Why the candidate cannot be reached at this TCP port although somebody listens there; empty: nothing is
  // known.
  std::string keeps_out_probe(GenerationId candidate, std::uint16_t port) const;
  // Where the unix sockets that a generation has bound are now, by the paths it has bound them to.
  std::map<std::string, std::string> unix_paths(GenerationId generation) const;

  // It gets no new connections; Callbacks::idle tells, perhaps at once, when it has none left. cgroup: see
  // ConnectionWatch.
  // queue_for_next_graced: where no generation follows, new connections wait in adopted_sockets() instead of
  // being refused.
  void retire(WorkerId worker, const std::optional<std::string>& cgroup, bool queue_for_next_graced);

  // Of a retired one, see Retirement::close().
  void close_connections(WorkerId worker, const Closing& closing) { retirements_.close(worker, closing); }

  // Its process is gone, and what that left behind is below these. It gets new connections only until a
  // replacement listens.
  void left_behind(WorkerId worker, const std::vector<pid_t>& tops);

  // It was retired, or its generation settles: no longer. Before the switch back to its generation.
  void returns(WorkerId worker);
  // What this generation had and cannot have again, so that nobody would reach it there: "unix /run/a.sock";
  // empty: nothing.
  std::string closed_to(GenerationId generation) const;

  // It gets no new connections any more. Those of a retired one are watched, and closed, as before.
  void told_to_leave(WorkerId worker);

  // It has been ready: it found nothing in its way.
  void is_ready(WorkerId worker) {
    if (TrackedWorker* tracked = find(worker)) tracked->ready = true;
  }

  // Who takes over what a serving worker listened on, which stays open until then. A replacement may turn out
  // not to come: then it is said again, with `none`, and new connections are refused where nobody else listens.
  enum class Follows { replacement, next_graced, none };
  void gone(WorkerId worker, Follows who);

  // The candidate failed; nothing is waited for that was opened for it and no worker has.
  void drop(GenerationId generation);

  bool adopted(WorkerId worker) const;
  std::vector<int> adopted_listeners(WorkerId worker) const;  // borrowed

  // What an adopted worker has bound and does not listen on; empty: nothing.
  std::string waits_for(WorkerId worker);
  // Which address of the serving generation its own has not; empty: all listen again.
  std::string missing(WorkerId worker) const;
  bool misses_only_datagrams(WorkerId worker) const;  // of what missing() tells
  bool is_bound_for_datagrams(WorkerId worker, const std::string& address) const;
  bool has_new_address(WorkerId worker) const;  // its generation, that the serving one has not
  Instant last_change(WorkerId worker) const;   // since when it has bound and listened on nothing more
  const std::vector<AdoptedSocket>& sockets_of(WorkerId worker) const;  // empty: it is not adopted

  bool listens(WorkerId worker) const;
  bool bound_anything(WorkerId worker) const;  // if only what is not handed off

  // Of an adopted one; borrowed.
  std::vector<int> listening_sockets(WorkerId worker) const;
  // Of opened(); borrowed.
  std::vector<int> opened_sockets(GenerationId generation) const;

  // Before the addresses of two generations are compared: a worker may have closed some.
  void forget_closed();
  void forget_closed(WorkerId worker);

  enum class How { switched, shared, not_at_all, own_program, multicast };
  struct Address {
    std::string address;  // "tcp [::]:8080"
    How how;
  };
  std::vector<Address> adopted_addresses(GenerationId generation) const;  // without those of --listen
  // Whether this is one of --listen, which was put in the place of the worker's own. A socket that was kept
  // from a worker or from an earlier graced is put in place as well, and is not one of those.
  bool is_of_listen(GenerationId generation, const AdoptedSocket& socket) const;
  // TCP, of the serving generation, or else restored: what must outlive graced. Borrowed, by inode.
  std::map<ino_t, int> adopted_sockets() const;

  // null: nobody watches its connections
  const Retirement* retirement(WorkerId worker) const { return retirements_.find(worker); }
  bool any_retired() const { return retirements_.any(); }

  // What another image of this process takes over, see kept_handoff.h and linux/upgrade; not while is_parked().
  // Nothing is answered, directed or removed before the loop runs.
  struct Kept;
  bool is_parked() const { return !parked_.empty(); }
  Kept kept(ListenerNumbers& numbers) const;
  Handoff(Loop& loop, Callbacks callbacks, Kept kept, const TakenListeners& listeners);
  std::vector<int> descriptors() const { return retirements_.descriptors(); }  // that the other makes anew

 private:
  struct TrackedWorker {
    WorkerId worker;
    GenerationId generation;
    pid_t pid = 0;
    std::unique_ptr<Adoption> adoption;  // null: what it listens on was passed to it
    std::vector<Fd> promised;            // what the adoption was told of as declared before, and borrows
    Source heard;
    std::uint64_t seen_changes = 0;
    Instant changed{};
    std::map<ino_t, unsigned> kept_queues;  // of unix sockets that orphans had when it started: how many waited
    bool ready = false;
    bool joined = false;  // gets new connections though its generation does not serve yet
    bool leaves = false;  // retired, or told to leave
    bool process_gone = false;
    bool orphan = false;                 // it is gone, what it listened on is kept for the next one
    std::vector<AdoptedSocket> taken{};  // of take()

    const std::vector<AdoptedSocket>& sockets() const { return adoption ? adoption->sockets() : taken; }

    bool serves_in(std::optional<GenerationId> serving) const {
      return generation == serving && !orphan && !leaves;
    }
  };

  // A socket that a worker has bound itself and listens on. Valid until what its worker has changes.
  struct Listening {
    const TrackedWorker& by;
    const AdoptedSocket& socket;
  };
  // All of the workers that are wanted, the oldest worker's first.
  template <class Wanted>
  std::vector<Listening> listening_of(Wanted wanted) const;

  Retirements::Callbacks retirement_callbacks();
  Datagrams::Callbacks datagram_callbacks();
  Adoption::Arrives arrives_of(WorkerId worker);
  Adoption::TakesDatagrams takes_datagrams_of(WorkerId worker);
  void hear(TrackedWorker& tracked);
  void connections_are_done(WorkerId worker);
  bool takes_datagrams(WorkerId worker, const std::string& key, int fd, const SocketAddress& where) const;
  bool overlaps_datagrams(const TrackedWorker& by, const std::string& key, int fd,
                          const SocketAddress& where) const;
  How how_directed(const AdoptedSocket& socket) const;
  void note_datagrams(const TrackedWorker& tracked);
  void let_go_of_datagrams(TrackedWorker& gone);
  void stop_listening_to(WorkerId worker);
  void took_note_of(TrackedWorker& tracked);
  void close_restored();
  void take_leave_of_closed();
  void forget_closed(TrackedWorker& tracked);
  void direct(const std::string& key);
  void share_with(TrackedWorker& arrived);
  bool gets_new(const TrackedWorker& worker) const;
  std::vector<ino_t> chosen_for(const std::string& key) const;
  std::set<ino_t> listening_on(const std::string& key, GenerationId generation) const;
  void let_in(GenerationId candidate, std::span<const std::uint16_t> first_ports);
  Adoption::Arrival arrival(WorkerId worker, const std::string& key, int fd, const SocketAddress& where) const;
  bool is_directed(const std::string& key, GenerationId arrives_in) const;
  std::string overlapped(int fd, const SocketAddress& where, GenerationId arrives_in) const;
  void each_listening(
      const std::function<void(GenerationId of, const std::string& key, int fd)>& listening) const;
  void promote_names();
  void show_what_serves();
  void hide_what_nobody_serves();
  void hide(const std::string& key);
  void drop_orphans();
  void keep_taken();
  void hand_over_queues(const TrackedWorker& to, const std::set<std::string>& keys);
  void note_kept_queues(TrackedWorker& tracked) const;
  void let_go_of_what_keeps_out(const TrackedWorker& gone);
  void let_go(std::list<TrackedWorker>::iterator tracked);
  void shut(const AdoptedSocket& socket);
  bool park(const std::string& key);
  std::string serving_text() const;
  bool is_served(const std::string& key) const;
  bool listens_in(std::optional<GenerationId> generation, const std::string& key) const;
  void tell_what_is_held();
  std::string first_missing(GenerationId generation, bool with_datagrams = true) const;
  bool begins_in_batches(GenerationId generation) const;
  bool all_listen_there(GenerationId generation, const std::string& key) const;
  std::map<std::string, const AdoptedSocket*> listening_in(GenerationId generation) const;  // by key
  TrackedWorker* find(WorkerId worker);
  const TrackedWorker* find(WorkerId worker) const;

  Loop& loop_;
  Callbacks callbacks_;
  bool queues_migrate_ = false;
  AdoptedNames names_;  // outlives the tracked workers
  SteeringGroups groups_;
  std::map<GenerationId, std::vector<std::shared_ptr<Listener>>> listeners_;
  std::list<TrackedWorker> tracked_;  // oldest first
  std::map<ino_t, Fd> restored_;
  std::set<ino_t> told_held_;
  std::vector<Parked> parked_;        // of take(), until the first switch
  std::set<std::string> taken_keys_;  // addresses whose clients may be of no group, connected or just gone
  std::optional<GenerationId> serving_;
  std::optional<GenerationId> standby_;
  struct Sharing {
    GenerationId candidate;
    unsigned per_mille;
  };
  std::optional<Sharing> sharing_;
  std::pair<GenerationId, unsigned> batches_{};  // the last candidate that came in batches, and its workers
  std::optional<GenerationId> beside_;           // a candidate some of whose workers have joined
  Retirements retirements_;                      // borrow what the tracked workers and listeners_ hold
  Datagrams datagrams_;
};

template <class Wanted>
std::vector<Handoff::Listening> Handoff::listening_of(Wanted wanted) const {
  std::vector<Listening> found;
  for (const TrackedWorker& worker : tracked_) {
    if (!wanted(worker)) continue;
    for (const AdoptedSocket& s : worker.sockets()) {
      if (s.listening) found.push_back({worker, s});
    }
  }
  return found;
}

}  // namespace graced
