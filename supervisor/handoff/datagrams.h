// The UDP sockets of the generations, of which each has its own: who gets what comes, and when an old worker
// has heard its last. A flow (one client and one address of ours) stays with the generation that it began with
// until that leaves; a new one goes to the serving one.
//
// A worker that leaves waits until no flow of its was heard for a while. Then, or shortly before its time is
// over, its flows are let go: they go to the serving generation as well. It is told to leave when nothing waits
// in its sockets any more, since that would be lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "linux/event/loop.h"
#include "linux/sockets/listener.h"
#include "linux/steering/udp_flows.h"

namespace graced {

class ListenerNumbers;
class TakenListeners;

class Datagrams {
 public:
  struct Callbacks {
    std::function<void(WorkerId)> idle;         // a retired one has heard its last, and read it
    std::function<void(GenerationId)> emptied;  // the same of one whose flows were let go
    std::function<void(const std::string&)> note;
    std::function<void()> closes{};  // see Handoff
  };
  struct Rules {
    unsigned flows = 0;          // remembered at most; 0: none
    Duration flow_timeout = 0s;  // silence that ends a flow
  };

  Datagrams(Loop& loop, Callbacks callbacks) : loop_(loop), callbacks_(std::move(callbacks)) {}

  // Before the first socket; later calls change the timeout from the next switch on. What cannot be had is
  // noted when it matters.
  void steer_by(const SteeringProbe& probe, Rules rules);

  // Those of --listen that the workers of this generation are passed. Before any of it serves.
  void opened(GenerationId generation, std::vector<std::shared_ptr<Listener>> listeners);
  const std::vector<std::shared_ptr<Listener>>& passed(GenerationId generation) const;

  // Whether a worker's own socket there can be one of several generations'. ready: it has been.
  bool takes(const std::string& key, bool ready) const;
  // A worker has bound it.
  void bound(WorkerId worker, GenerationId generation, const std::string& key, int fd, ino_t inode);
  // The other ones that workers have bound are closed.
  void keep_only(const std::set<ino_t>& bound);

  void switch_to(GenerationId generation);
  // These workers of a candidate get new flows as well, until it is switched to, or left out.
  void join(GenerationId candidate, std::set<WorkerId> joined);
  void leave_out(GenerationId candidate);
  void drop(GenerationId generation);  // all of its workers are gone

  // It gets no new flows. True: Callbacks::idle will tell; false: it has none to finish.
  bool retire(WorkerId worker, GenerationId generation);
  bool is_retired(WorkerId worker) const { return retired_.contains(worker); }
  // When it will be told, heard its last or not.
  void leaves_by(WorkerId worker, Instant when);
  void leaves(WorkerId worker) { leaving_.insert(worker); }
  // It is not to leave after all. Before the switch back to its generation.
  void returns(WorkerId worker) { gone(worker); }
  void told_to_leave(WorkerId worker);
  void gone(WorkerId worker);

  // All flows of this generation go to the serving one. True: Callbacks::emptied will tell.
  bool let_go(GenerationId generation);
  bool is_emptying(GenerationId generation) const { return emptying_.contains(generation); }

  // Of a retired one: "flows, last heard 1.2s ago"; empty: it is none.
  std::string waits_for(WorkerId worker) const;

  // It is served by a program that its server has brought along.
  bool is_left_alone(const std::string& key) const { return left_alone_.contains(key); }

  struct Traffic {
    std::uint64_t flows = 0;      // that are remembered now
    std::uint64_t datagrams = 0;  // that have come
  };
  // Of each generation; empty where nothing is counted.
  std::map<GenerationId, Traffic> traffic() const;

  struct Bound {
    WorkerId worker;
    GenerationId generation;
    std::string key;
  };
  // Until nothing has waited for a moment.
  struct Emptying {
    std::vector<ino_t> sockets;
    std::optional<Instant> empty_since{};
  };
  struct Retired {
    GenerationId generation;
    Instant since{};
    Instant told = no_deadline;
    Instant next_look{};
    std::optional<Emptying> last{};  // once its flows were let go
  };

  // What another image of this process takes over, see linux/upgrade; listeners by their numbers.
  struct Kept {
    std::optional<UdpFlows::Kept> flows{};
    std::map<ino_t, Bound> bound{};
    std::map<GenerationId, std::vector<unsigned>> passed{};
    std::optional<GenerationId> serving{};
    std::optional<GenerationId> beside{};
    std::set<WorkerId> joined{};
    std::set<WorkerId> leaving{};
    std::map<WorkerId, Retired> retired{};
    std::map<GenerationId, Emptying> emptying{};
    std::map<GenerationId, std::uint64_t> past{};
    std::set<std::string> left_alone{};
    std::map<std::string, Instant> tries{};
    std::string to_be_told{};
  };
  Kept kept(ListenerNumbers& numbers) const;
  // Looks again as soon as the loop runs.
  Datagrams(Loop& loop, Callbacks callbacks, Kept kept, const TakenListeners& listeners);

 private:
  std::vector<ino_t> sockets_of(WorkerId worker, GenerationId generation) const;
  std::vector<ino_t> sockets_of(GenerationId generation) const;
  void add_passed(std::vector<ino_t>& sockets, GenerationId generation) const;
  bool gets_new(const Bound& bound) const;
  std::set<ino_t> chosen_of(const std::string& key) const;
  void direct_all();
  void direct(const std::string& key);
  void not_directed(const std::string& key, const std::system_error& why);
  void try_again(Instant now);
  void close_unheld();
  void look();
  void look_soon();
  bool look_at(WorkerId worker, Retired& retired, Instant now);
  bool is_empty(Emptying& emptying, Instant now) const;
  std::optional<Instant> last_heard(const std::vector<ino_t>& sockets) const;

  Loop& loop_;
  Callbacks callbacks_;
  std::optional<UdpFlows> flows_;  // none: nothing can be directed
  std::map<ino_t, Bound> bound_;
  std::map<GenerationId, std::vector<std::shared_ptr<Listener>>> passed_;
  std::optional<GenerationId> serving_;
  std::optional<GenerationId> beside_;  // the candidate of which some have joined
  std::set<WorkerId> joined_;
  std::set<WorkerId> leaving_;
  std::map<WorkerId, Retired> retired_;
  std::map<GenerationId, Emptying> emptying_;
  std::map<GenerationId, std::uint64_t> past_;  // datagrams of sockets that are closed
  std::set<std::string> left_alone_;
  std::map<std::string, Instant> tries_;  // when what could not be directed is tried again
  std::string to_be_told_;                // once there is a socket to which it matters
  Source timer_;
};

}  // namespace graced
