// The control socket's serving end: D-Bus peer to peer, interface org.graced.Supervisor1.
// Everybody who can reach the socket may read; only root and graced's own uid may change things.
//
//   Reload(b wait) → (t generation)     answered when the reload has ended; generation 0 if wait is false
//   ReloadUntilSettled() → (t generation)  answered when its probation is over as well
//   Rollback() → (t from, t to)         to the generation that stands by
//   Abort() → (t generation, b next)    of the reload that ran, 0: none did; next: another one follows
//   Stop(b wait)                        answered when graced has stopped
//   Hammer() → (u killed)
//   History(u most) → a(…) entries      the last ones, the oldest first; see event_wire.h
//   EventsSince(t that) → (b all, a(…) events)  after then, with those that are not remembered;
//                                       all: there was nothing else
//   Logs(t from, b wait) → (s place, t next, a(…) lines)  of workers; see log_wire.h
//   Upgrade(s binary, b check_only, s token) → (s from, s to)  versions. Where another image takes over this
//                                       connection ends without an answer, and LastUpgrade has it by its token
//   Await(t request) → (t generation)   as Reload, of a reload that the client was told of by Moves
//   Subscribe() → (s name, t serving)   from now on this client gets the signal Happened, of event_wire.h
//   properties: all of InstanceReport; signals: PhaseChanged, WorkerChanged, ReloadFinished, Happened
//   Moves(t request): graced goes on as another image, so this connection ends now. request: of the reload that
//                     this client waits for; 0: it waits for none
#pragma once

#include <cstdint>
#include <exception>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/id.h"
#include "core/instance_event.h"
#include "core/kept_output.h"
#include "core/passing_events.h"
#include "core/time.h"
#include "linux/base/bus.h"
#include "linux/base/fd.h"
#include "linux/base/systemd.h"
#include "linux/control/control_connection.h"
#include "linux/control/control_report.h"
#include "linux/control/descriptor_reserve.h"
#include "linux/control/log_readers.h"
#include "linux/control/moved_requests.h"
#include "linux/control/upgrade_request.h"
#include "linux/event/loop.h"

namespace graced {

// What came of an abort.
struct Aborted {
  std::uint64_t generation = 0;  // that was on trial; 0: none was, or it is the first
  bool next = false;             // a reload that was asked for meanwhile begins, or is about to
};

// What came of a rollback.
struct RollbackOutcome {
  std::uint64_t from = 0;  // generation that served
  std::uint64_t to = 0;    // that serves again
  std::string why_not{};   // empty: it was done
};

// Whom somebody has subscribed to.
struct Subscribed {
  std::string name{};
  std::uint64_t serving = 0;  // generation; 0: none
};

// What clients ask for. Any of these may answer before it returns.
class ControlHandler {
 public:
  // Comes before a reload, a rollback, a stop and the hammer. pid: 0 if it is of another PID namespace.
  virtual void asked_by(pid_t, uid_t) {}
  virtual void reload(RequestId by) = 0;  // `nobody`: no answer is wanted
  virtual void reload_until_settled(RequestId by) = 0;
  virtual RollbackOutcome rollback(pid_t who, uid_t user) = 0;  // who: as above
  virtual Aborted abort(pid_t who, uid_t user) = 0;
  virtual void stop(RequestId by) = 0;
  virtual unsigned hammer() = 0;  // how many were killed
  // Comes after asked_by(), like the others.
  virtual void upgrade(RequestId by, UpgradeRequest request) = 0;
  virtual Subscribed subscribed() const = 0;
  virtual InstanceReport report() = 0;
  virtual std::vector<InstanceEvent> history(std::size_t most) = 0;  // the oldest first
  virtual EventsSince events_since(Instant that) = 0;                // after then
  virtual LogPage log_page(std::uint64_t from) = 0;                  // see LogReaders

  // One of the above threw. It was kept from passing through C; the loop should end.
  virtual void control_failed(std::exception_ptr) noexcept = 0;

 protected:
  ~ControlHandler() = default;
};

class ControlServer final : private ControlConnection::Owner {
 public:
  // greeting_limit: for clients that connect and say nothing. The handler must outlive the server.
  ControlServer(Fd listening_socket, ControlHandler&, Duration greeting_limit = 25s);
  ~ControlServer();

  // What another image of this process takes over, see linux/upgrade. Connections end, see hang_up().
  struct Kept {
    int listening = -1;
    std::uint64_t last_request = 0;
    MovedRequests::Kept moved{};
  };
  Kept kept() const { return {listening_.get(), last_request_, moved_.kept()}; }
  ControlServer(Kept, ControlHandler&, Duration greeting_limit = 25s);

  // Those of all that is not carried.
  std::vector<int> descriptors() const;

  // From now on clients are let in; before, they wait. Once.
  void attend(Loop& loop);

  // Nobody is let in any more, and what those have sent who are in is answered.
  void shut_out();
  // After that: they are told that this graced goes on as another image, what they have not been sent yet is,
  // for so long, and they are hung up on.
  void hang_up(Duration limit);
  // Others are let in again.
  void let_in();

  // To an Upgrade: versions, or why not.
  void upgrade_ended(RequestId to, bool ok, const std::string& from, const std::string& next,
                     const std::string& why);

  // To a Reload or a Stop that waits. An id whose asker has gone, or was answered, is ignored.
  // why: may have several lines; not used if ok.
  void answer(RequestId, bool ok, std::uint64_t generation, const std::string& why);

  // There may be lines that somebody waits for.
  void tell_log_readers() { log_readers_.tell(); }

  void phase_changed(const std::string& phase);
  void worker_changed(std::uint64_t generation, std::uint32_t slot, std::int32_t pid, const std::string& state);
  void reload_finished(std::uint64_t generation, bool ok, const std::string& why);
  // To those who have subscribed. One that does not read them is hung up on.
  void happened(const InstanceEvent& event);

 private:
  enum class Wish { reload, reload_until_settled, stop, upgrade };
  struct Pending {
    ControlConnection* from;
    Wish wish;
    BusMessage call;
  };
  struct Calls;  // what sd-bus calls, from C

  void message_begins() noexcept override { report_.reset(); }
  void connection_ended(ControlConnection&) noexcept override;

  void accept_some();
  void see_off();
  bool welcome(Fd socket);  // false: it was turned away
  ControlConnection::Descriptors open_descriptors(int socket);
  int ask(ControlConnection&, sd_bus_message*, Wish, sd_bus_error*);
  int ask_for_upgrade(ControlConnection&, sd_bus_message*, sd_bus_error*);
  int await(ControlConnection&, sd_bus_message*, sd_bus_error*);
  RequestId remember(ControlConnection&, sd_bus_message*, Wish);
  static const sd_bus_vtable* vtable();
  template <class... Values>
  void tell(ControlConnection& connection, const char* signal, const char* types, Values... values);
  template <class... Values>
  void tell_all(const char* signal, const char* types, Values... values);

  Loop* loop_ = nullptr;  // from attend() on
  Fd listening_;
  DescriptorReserve reserve_;
  ControlHandler& handler_;
  Duration greeting_limit_;
  Source accepting_;
  std::uint64_t last_request_ = 0;
  std::uint64_t last_connection_ = 0;
  std::optional<InstanceReport> report_;  // one message's answer is of one moment, and asked for once
  std::map<RequestId, Pending> pending_;
  MovedRequests moved_;
  LogReaders log_readers_;
  std::list<ControlConnection> connections_;
};

}  // namespace graced
