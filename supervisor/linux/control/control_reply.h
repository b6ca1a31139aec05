// What came of a question to an instance, from the message that answers it.
#pragma once

#include <cstdint>
#include <string>

#include "linux/base/systemd.h"
#include "linux/control/control_report.h"

namespace graced {

enum class ControlOutcome {
  ok,
  failed,     // graced says why
  timed_out,  // no answer within the time given
  denied,     // the caller may only read
  gone,       // the connection ended before the answer
};

struct ControlReply {
  ControlOutcome outcome = ControlOutcome::ok;
  std::string why;         // empty if ok; may have several lines
  bool unknown = false;    // failed, as it is of a version that is not asked this
  std::uint64_t from = 0;  // of Rollback: the generation that served
  std::uint64_t generation =
      0;                       // of Reload, of Rollback (that serves again), of Abort (0: nothing was aborted)
  bool next = false;           // of Abort: another reload follows
  std::uint32_t killed = 0;    // of Hammer
  std::string version_from{};  // of Upgrade: versions of graced
  std::string version_to{};
};

namespace control {

// Whether sd-bus says by this result, a negative errno, that the other side ended the connection.
bool hung_up(int result);

// result: a negative errno; error: what graced says about it, may be unset.
ControlReply reply_of(int result, const sd_bus_error& error);

// The answer to GetAll. Throws std::system_error where it is no report.
void read_report(sd_bus_message* message, InstanceReport& into);

}  // namespace control
}  // namespace graced
