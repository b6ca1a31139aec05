// Looks for who the next workers are and for what they run in a process of its own before graced does: a
// directory service or a file system that does not answer keeps that one waiting, and not graced.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/side_record.h"
#include "daemon/waits_for.h"
#include "linux/base/account.h"
#include "linux/event/loop.h"
#include "linux/worker/starting_place.h"
#include "options/options.h"

namespace graced {

class Lookups {
 public:
  explicit Lookups(Loop& loop) : record_(loop) {}

  // Begins, for workers that find this in their environment besides; relative names are as seen from `place`.
  // `done` is called once, later, unless it is given up. Throws std::system_error.
  void begin(const RunOptions& options, const std::vector<std::string>& environment, const StartingPlace& place,
             std::function<void()> done);

  // Who they are, see account_of(), of the options that begin() was given. Throws std::runtime_error as that
  // does.
  std::optional<Account> account(const RunOptions& options) const;

  WaitsFor waits_for() const;

  void give_up() { record_.give_up(); }

 private:
  SideRecord record_;  // see lookups.cc
  std::string first_;  // what it waits for until something is recorded
};

}  // namespace graced
