// What a process of graced's own writes down of what it has read or found, see SideProcess.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/worker/side_process.h"

namespace graced {

class SideRecord {
 public:
  explicit SideRecord(Loop& loop) : loop_(loop) {}

  // Begins; what was under way is given up. directory: where the process is (none: where graced is). `done` is
  // called once, later, unless it is given up. Throws std::system_error.
  void begin(const Fd& directory, const std::function<void(int output)>& work, std::function<void()> done);

  bool is_under_way() const { return process_ != nullptr; }
  const std::string& text() const { return text_; }  // what has come until now

  void give_up();

 private:
  void hear();

  Loop& loop_;
  std::unique_ptr<SideProcess> process_;
  Source heard_;
  std::string text_;
  std::function<void()> done_;
};

}  // namespace graced
