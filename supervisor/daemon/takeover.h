// A server that ran before graced and is taken over (--take): its addresses are shared with the first
// generation, it is told to leave when that serves, and it gets them back if none comes to serve. When, and for
// how long, is the core's to say.
#pragma once

#include <sys/types.h>

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "core/id.h"
#include "daemon/addresses.h"
#include "daemon/event_pump.h"
#include "daemon/event_readers.h"
#include "daemon/log.h"
#include "daemon/plan.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/takeover/running_server.h"

namespace graced {

class Takeover {
 public:
  // Borrowed.
  struct Others {
    Loop& loop;
    Log& log;
    EventPump& pump;
    Addresses& addresses;
    EventReaders& readers;
  };
  explicit Takeover(Others others) : o_(others) {}

  // Once the addresses of the first generation, whose plan this is, are open, and before it is said to be
  // prepared. Nothing where nothing is to be taken over, or it does not run. Throws std::exception with one
  // line: then all is as before.
  void begin(const Plan& first, HandoffCapabilities& capabilities);

  // The first generation does.
  void serves(GenerationId first);
  void retire();
  void drain();
  void kill();
  void give_back();

  // Until it is gone.
  const std::optional<RunningServer>& server() const { return server_; }
  std::string text() const;  // "PID 812 (nginx) of nginx.service"
  // By whoever manages it, who has limits of his own.
  bool ended_elsewhere() const { return server_ && (server_->unit() || !stop_command_.empty()); }

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    struct Watched {
      pid_t pid = 0;
      int process = -1;
    };
    std::optional<RunningServer::Kept> server{};
    std::vector<std::string> stop_command{};
    int drain_signal = 0;
    std::vector<Watched> watched{};
    bool serves_alone = true;
    bool told = false;
    bool signalled = false;
    std::optional<InstanceEvent> taken{};
  };
  Kept kept() const;
  void take_over(Kept kept);  // instead of begin()

 private:
  struct Watched {
    pid_t pid;
    Fd process;  // a pidfd
    Source gone;
  };

  void watch(pid_t pid, Fd process);
  void look_below();
  void ended(pid_t pid);
  void all_ended();
  void tell();
  bool ask_manager();
  void ask_systemd();
  void signal_all();

  Others o_;
  std::optional<RunningServer> server_;
  std::vector<std::string> stop_command_;
  int drain_signal_ = 0;
  std::list<Watched> watched_;  // the server, and all that is known below it, as far as they live
  bool serves_alone_ = true;    // no generation does yet
  bool told_ = false;           // to leave, by whatever way
  bool signalled_ = false;
  std::optional<InstanceEvent> taken_;  // what was told of it
};

}  // namespace graced
