// The control socket's asking end: one connection to one instance. Whatever may come of a question is
// a value; only not reaching anybody is an exception.
//
// Where graced goes on as another image the connection ends, and nothing else does: then it is asked once more,
// and who waits for the outcome of a reload waits on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "core/kept_output.h"
#include "core/time.h"
#include "linux/base/bus.h"
#include "linux/base/fd.h"
#include "linux/control/control_reply.h"
#include "linux/control/control_report.h"
#include "linux/control/control_wire.h"
#include "linux/control/upgrade_request.h"

namespace graced {

class ControlClient {
 public:
  // Throws std::system_error: ENOENT and ECONNREFUSED mean that nobody is there, ETIMEDOUT that
  // somebody is but does not say hello within `patience`, ECONNRESET that somebody was, and ended instead,
  // EBUSY that it is there and has hung up: it has too many clients, or no descriptors for another one.
  explicit ControlClient(const std::string& path, Duration patience = 10s);

  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  // From now on, while an outcome is waited for: what happens, as it comes, and null once a second. Of a
  // version that tells no events it is null alone. Once; an empty one ends it.
  using Watch = std::function<void(const InstanceEvent*)>;
  void watch(Watch watch);

  // limit: how long to wait for the outcome, may be `infinity`; none: do not wait, only ask.
  ControlReply reload(std::optional<Duration> limit);
  ControlReply reload_until_settled(Duration limit);
  ControlReply rollback();
  ControlReply abort();
  ControlReply stop(std::optional<Duration> limit);  // until the process is gone
  ControlReply hammer();
  // limit: how long to wait until the other image has taken over, or could not; may be `infinity`.
  ControlReply upgrade(const UpgradeRequest& request, Duration limit);
  ControlReply report(InstanceReport& into);
  ControlReply history(std::uint32_t most, std::vector<InstanceEvent>& into);  // the oldest first
  // Lines of workers from that number on; wait: until there is one.
  ControlReply logs(std::uint64_t from, bool wait, LogPage& into);
  // What it calls itself; none if it does not say so within `patience`.
  std::optional<std::string> name(Duration patience = 2s);

 private:
  // What is done where the connection ends before the answer.
  enum class Asks {
    reads,    // it is asked again, whatever the reason
    acts,     // only where graced goes on as another image, which has not heard of it then
    outcome,  // the same; and it may have taken the request along, see moved_
    once,
  };
  ControlReply call(Asks asks, const char* interface, const char* method, Duration limit, BusMessage& answer,
                    const char* types, ...);
  ControlReply ask(Asks asks, sd_bus_message* question, Duration limit, BusMessage& answer);
  ControlReply call_watching(sd_bus_message* question, Duration limit, BusMessage& answer);
  ControlReply outcome_of_reload(const char* method, Duration limit, bool waits);
  void connect(Duration patience);
  bool connects_again(Duration patience);
  bool may_ask_again(Asks asks, Instant since);
  void subscribe();
  static int on_message(sd_bus_message*, void* self, sd_bus_error*) noexcept;
  bool wait_until_gone(Duration limit);

  std::string path_;
  Bus bus_;
  Watch watch_;
  std::uint64_t moved_ = 0;  // the request that the next image has taken over; 0: none
  Fd process_;               // a pidfd of graced; none if it lives in a PID namespace we do not see
};

}  // namespace graced
