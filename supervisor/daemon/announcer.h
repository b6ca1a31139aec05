// What others are told of how things stand: the service manager above, and who listens at the control socket.
// Changes only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "daemon/log.h"
#include "linux/control/control_server.h"
#include "linux/event/loop.h"
#include "linux/manager/service_manager.h"
#include "workers/workers.h"

namespace graced {

class Announcer {
 public:
  Announcer(Loop& loop, Log& log, const ServiceManagerVariables& variables);

  // How graced ends, once it is known; told with the phase.
  struct Ending {
    int exit_status = 0;
    std::string because{};  // empty if all went well
  };

  // What another image of this process takes over, see linux/upgrade; the control socket is its server's.
  struct Kept {
    ServiceManager::Kept manager{};
    Ending ending{};
    Phase phase = Phase::starting;
    std::vector<WorkerStatus> workers{};
    std::vector<RestartStatus> restarts{};
  };
  Kept kept() const;
  Announcer(Loop& loop, Log& log, const ServiceManagerVariables& variables, Kept kept);

  // Before anything is told. The handler must outlive this.
  void open_control(Fd listening_socket, ControlHandler& handler);
  void open_control(ControlServer::Kept kept, ControlHandler& handler);

  // Clients of the control socket are let in from now on, and the manager's watchdog is kept quiet.
  void attend();
  // The same, after taking over: what waited for the manager goes out, and its watchdog may have waited for
  // nearly as long as it does.
  void go_on();

  ServiceManager& manager() { return manager_; }
  ControlServer& control() { return *control_; }
  bool has_manager() const { return manager_.anybody(); }

  // Those that have become ready since the last time.
  std::vector<WorkerId> tell_of_workers(const Status& status, const Workers& workers);
  void tell_of_start(const WorkerProcess& worker);
  void tell_of_restarts(const Status& status);

  // next_deadline: of the core. error: errno of the last reload, or of the start, if it failed for one.
  void tell_of_phase(const Status& status, Instant next_deadline, int error);

  void ends(Ending ending) { ending_ = std::move(ending); }
  const Ending& ending() const { return ending_; }

 private:
  void tell_alive();
  void wait_until_manager_reads();

  Loop& loop_;
  Log& log_;
  ServiceManager manager_;
  Source manager_writable_;  // while it is behind
  Source watchdog_;
  std::optional<ControlServer> control_;
  Ending ending_;

  // Told last.
  Phase phase_ = Phase::starting;
  std::vector<WorkerStatus> workers_;  // by id, as the core counts them up
  std::vector<RestartStatus> restarts_;
};

// A worker's state for people.
std::string shown_state(const WorkerStatus& worker);

}  // namespace graced
