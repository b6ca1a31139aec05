// One question to one instance, under way: it goes on when it is told to, and nobody is waited for. Where
// graced goes on as another image meanwhile it is asked once more, or waited on for the outcome of a reload.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "linux/base/bus.h"
#include "linux/base/fd.h"
#include "linux/control/control_reply.h"
#include "linux/control/control_report.h"

namespace graced {

enum class ControlAsk {
  report,
  history,
  reload,           // and to be told when it has ended
  reload_untended,  // and no more
};

struct ControlAnswer {
  ControlReply reply;
  bool reached = false;  // it said hello; false and `gone`: nobody is there; false and `timed_out`: it hangs
  bool turned_away = false;              // not reached, though it is there: it hung up
  InstanceReport report{};               // of `report`, if ok
  std::vector<InstanceEvent> history{};  // of `history`, likewise: the oldest first
  pid_t process = 0;  // graced, as it is called here; 0: not reached, or in a PID namespace that we do not see
};

class ControlQuestion {
 public:
  // Throws std::runtime_error if there is no libsystemd. What else stands in the way is the answer.
  ControlQuestion(std::string path, ControlAsk);
  ControlQuestion(const ControlQuestion&) = delete;
  ControlQuestion& operator=(const ControlQuestion&) = delete;

  // Whether anything happened. To be called again when watched() has something; an exception of the kernel's:
  // where there is no room in the queue of the instance there is nothing to watch, and later it may be there.
  bool advance();
  pollfd watched() const;  // fd -1: nothing

  bool reached() const { return reached_; }
  const std::optional<ControlAnswer>& answer() const { return answer_; }

 private:
  void begin();
  void settle(ControlReply);
  void settle_hung_up();
  bool may_ask_again();
  void read_answer();
  static int arrived(sd_bus_message*, void* self, sd_bus_error*) noexcept;
  static int on_message(sd_bus_message*, void* self, sd_bus_error*) noexcept;

  std::string path_;
  ControlAsk ask_;
  Fd process_;  // a pidfd of graced
  pid_t number_ = 0;
  bool reached_ = false;
  int asked_again_ = 0;  // how often, as it had hung up
  std::optional<std::uint64_t>
      moved_{};                // it goes on as another image: the request that this has taken over, or 0
  std::uint64_t request_ = 0;  // whose outcome is awaited; 0: it is asked for
  std::optional<ControlAnswer> answer_;
  BusMessage message_;
  Bus bus_;
};

}  // namespace graced
