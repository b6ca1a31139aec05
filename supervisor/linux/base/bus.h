// sd-bus's objects, owned.
#pragma once

#include <memory>

#include "linux/base/fd.h"
#include "linux/base/systemd.h"

namespace graced {

struct BusCloser {
  void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }  // what is not sent yet is dropped
};
struct BusMessageReleaser {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Bus = std::unique_ptr<sd_bus, BusCloser>;
using BusMessage = std::unique_ptr<sd_bus_message, BusMessageReleaser>;

// What an error reply says.
struct BusError {
  sd_bus_error value = SD_BUS_ERROR_NULL;
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { sd_bus_error_free(&value); }
};

// Over this socket, which it takes. A negative errno where that fails, as sd_bus_start(3) says.
inline int start_bus(Bus& bus, Fd socket) {
  sd_bus* made = nullptr;
  if (const int r = sd_bus_new(&made); r < 0) return r;
  bus.reset(made);
  if (const int r = sd_bus_set_fd(made, socket.get(), socket.get()); r < 0) return r;
  static_cast<void>(socket.release());
  return sd_bus_start(made);
}

}  // namespace graced
