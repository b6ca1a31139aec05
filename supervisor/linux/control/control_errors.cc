#include "linux/control/control_errors.h"

#include <fmt/format.h>
#include <unistd.h>

#include "linux/control/control_wire.h"

namespace graced {

int deny(const ControlConnection& connection, sd_bus_error* error) {
  const std::string who = ::geteuid() == 0 ? "root" : fmt::format("root and uid {}", ::geteuid());
  const std::string text = fmt::format("only {} may do this, you are uid {}", who, connection.uid());
  return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, text.c_str());
}

int reply_error(sd_bus_message* call, const char* name, const std::string& why) {
  const std::string text = control::to_utf8(why);
  const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text.c_str());
  return sd_bus_reply_method_error(call, &error);
}

}  // namespace graced
