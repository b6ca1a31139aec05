// What a process of graced's own writes down of what it has read or found, see SideProcess.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "daemon/waits_for.h"
#include "linux/event/loop.h"
#include "linux/worker/side_process.h"
#include "linux/worker/starting_place.h"

namespace graced {

class SideRecord {
 public:
  explicit SideRecord(Loop& loop) : loop_(loop) {}

  // Begins, in that place; what was under way is given up. `done` is called once, later, unless it is given up.
  // kept: descriptors that it needs. Throws std::system_error.
  void begin(const StartingPlace& place, const std::function<void(int output)>& work,
             std::function<void()> done, std::vector<int> kept = {});

  // Waits for its end, at most so long.
  void wait(Duration most);

  bool is_under_way() const { return process_ != nullptr; }
  std::string_view text() const;  // what has come until now

  // Until the process is in its place, that.
  WaitsFor waits_for_place() const;

  void give_up();

 private:
  void hear();

  Loop& loop_;
  std::unique_ptr<SideProcess> process_;
  Source heard_;
  std::string place_;  // to show
  std::string text_;   // after a byte for having entered the place
  std::function<void()> done_;
};

}  // namespace graced
