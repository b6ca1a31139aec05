// Where a look is asked for: whoever comes while one is under way gets the next one, together with all others
// that came meanwhile, so that many clients cost instances no more than one.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/time.h"
#include "exporter/look.h"

namespace graced {

class Desk {
 public:
  using Looking = std::function<LookPointer()>;
  // From the desk's thread; nullptr: the look failed, or the desk closes.
  using Served = std::function<void(const LookPointer&)>;

  // pause: between the beginnings of two looks at least. The thread begins at once, and looks when asked to.
  Desk(Looking looking, Duration pause);
  ~Desk() { close(); }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // Serves who waits with nullptr, and whoever comes later.
  void close();

  // `served` is called once, with a look that began after this call.
  void ask(Served served);

  // Calls `work` about every `every` while it returns true, beginning now; between looks.
  void keep(std::function<bool()> work, Duration every);

 private:
  void run();
  Instant next_due(Instant now) const;

  Looking looking_;
  Duration pause_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  std::vector<Served> waiting_;
  Instant may_look_{};
  std::function<bool()> work_;
  Duration every_{};
  Instant work_due_ = no_deadline;
  std::thread thread_;  // last: it uses the others
};

}  // namespace graced
