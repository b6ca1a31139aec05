// Those at the control socket who read lines of workers. One that waits for more is answered when there is
// some. Who does not read its answer asks for no other one, and costs no more than that.
#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "core/kept_output.h"
#include "linux/base/bus.h"
#include "linux/base/systemd.h"
#include "linux/control/control_connection.h"

namespace graced {

class LogReaders {
 public:
  // page: what is there from a line on; the last that found none is to be followed by tell().
  explicit LogReaders(std::function<LogPage(std::uint64_t from)> page) : page_(std::move(page)) {}

  // A call of Logs, as sd-bus wants it answered.
  int ask(ControlConnection& from, sd_bus_message* call, sd_bus_error* error);

  // There may be more.
  void tell();

  void forget(const ControlConnection& ended);

 private:
  struct Waiting {
    ControlConnection* who;
    std::uint64_t from;
    BusMessage call;
  };

  std::function<LogPage(std::uint64_t)> page_;
  std::list<Waiting> waiting_;
};

}  // namespace graced
