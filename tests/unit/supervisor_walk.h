// A random walk: an edge that answers and is silent, lies, repeats itself and is late, with workers
// that do what workers do, and a witness who looks on. After a while all faults end, and things must
// come to rest; then graced is stopped, and must come to its end.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "core/supervisor.h"
#include "supervisor_twin.h"
#include "supervisor_witness.h"

namespace graced {

class Walk {
 public:
  Walk(std::uint64_t seed, Tally& tally);

  // Throws BrokenPromise.
  void run(int steps);

  std::string last_events() const;  // for people, oldest first

 private:
  struct Said {
    Instant at;
    Event event;
    std::vector<Action> actions;
  };

  bool one_in(unsigned n) { return random_() % n == 0; }
  template <class T>
  T any(std::initializer_list<T> of) {
    return of.begin()[random_() % of.size()];
  }
  Policy any_policy();
  Policy candidates_policy();
  template <class Which>
  WorkerId any_worker(Which which);
  RequestId any_asker();
  Exit any_exit();

  void tell(const Event& event);
  void step();
  void time_passes();
  bool helps_on();       // what a faultless edge and faultless workers do next, if anything
  void comes_to_rest();  // all faults end
  void reloads_once_more();
  void comes_to_its_end();

  std::mt19937_64 random_;
  Tally& tally_;
  const unsigned faults_;      // one in so many
  const bool hardy_;           // never gives up by itself, so that it walks far
  const bool survivors_stay_;  // until they are killed, or longer
  const bool watched_;         // every generation that serves is probed, and often fails that
  const Policy first_;
  Supervisor core_;
  Witness witness_;
  Twin twin_;
  Instant now_{1h};
  std::uint64_t last_asker_ = 0;
  std::deque<Said> said_;
};

}  // namespace graced
