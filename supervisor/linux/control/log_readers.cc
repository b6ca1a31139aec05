#include "linux/control/log_readers.h"

#include <algorithm>
#include <utility>

#include "linux/control/log_wire.h"

namespace graced {

namespace {

int reply(sd_bus_message* call, const LogPage& page) {
  sd_bus_message* made = nullptr;
  if (const int r = sd_bus_message_new_method_return(call, &made); r < 0) return r;
  const BusMessage answer{made};
  control::append_log_page(made, page);
  return sd_bus_send(nullptr, made, nullptr);
}

}  // namespace

int LogReaders::ask(ControlConnection& from, sd_bus_message* call, sd_bus_error* error) {
  std::uint64_t number = 0;
  int wait = 0;
  if (const int read = sd_bus_message_read(call, "tb", &number, &wait); read < 0) return read;
  const LogPage page = page_(number);
  if (wait == 0 || page.place != LogPlace::kept || !page.lines.empty()) return reply(call, page);
  if (std::ranges::find(waiting_, &from, &Waiting::who) != waiting_.end())
    return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "one call waits for lines already");
  waiting_.push_back({&from, number, BusMessage{sd_bus_message_ref(call)}});
  return 1;
}

void LogReaders::tell() {
  for (auto w = waiting_.begin(); w != waiting_.end();) {
    const LogPage page = page_(w->from);
    if (page.place == LogPlace::kept && page.lines.empty()) {
      ++w;
      continue;
    }
    const Waiting told = std::move(*w);
    w = waiting_.erase(w);
    static_cast<void>(reply(told.call.get(), page));  // whether it could be is the connection's to see
    told.who->sent();
  }
}

void LogReaders::forget(const ControlConnection& ended) {
  waiting_.remove_if([&](const Waiting& w) { return w.who == &ended; });
}

}  // namespace graced
