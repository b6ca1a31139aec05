// Tells an answer from refusal and the end of the other side.
#include "linux/control/control_reply.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "linux/base/sys_error.h"
#include "linux/control/control_wire.h"

namespace graced::control {

bool hung_up(int result) {
  return result == -ECONNRESET || result == -ENOTCONN || result == -EPIPE || result == -ESHUTDOWN;
}

ControlReply reply_of(int result, const sd_bus_error& error) {
  if (result == -ETIMEDOUT) return {.outcome = ControlOutcome::timed_out, .why = "no answer in time"};
  if (sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) != 0)
    return {.outcome = ControlOutcome::denied, .why = error.message};
  if (hung_up(result))
    return {.outcome = ControlOutcome::gone, .why = "the connection ended before the answer"};
  std::string why = error.message != nullptr ? error.message : std::generic_category().message(-result);
  return {.outcome = ControlOutcome::failed,
          .why = std::move(why),
          .unknown = sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_METHOD) != 0};
}

void read_report(sd_bus_message* message, InstanceReport& into) {
  const auto must = [](int result) {
    if (result < 0) throw sys_error_of(result, "read the status");
    return result;
  };
  must(sd_bus_message_enter_container(message, 'a', "{sv}"));
  while (must(sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
    const char* name = nullptr;
    must(sd_bus_message_read_basic(message, 's', &name));
    // Another version may know other properties, or the same ones otherwise: then they stay empty here.
    const Property* property = find_property(name);
    if (property != nullptr && sd_bus_message_verify_type(message, 'v', property->signature) > 0) {
      must(sd_bus_message_enter_container(message, 'v', property->signature));
      property->read(message, into);
      must(sd_bus_message_exit_container(message));
    } else {
      must(sd_bus_message_skip(message, "v"));
    }
    must(sd_bus_message_exit_container(message));
  }
}

}  // namespace graced::control
