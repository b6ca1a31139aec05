// sd-bus's objects, owned.
#pragma once

#include <memory>

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

}  // namespace graced
