// How a candidate takes the place of the generation that serves where its workers are not started all at once
// (`--max-surge`): in batches, one after the other. Once the workers of a batch are ready they serve beside
// those of the old generation that are left, and the old ones of the same slots leave.
#pragma once

#include <algorithm>

#include "core/members.h"

namespace graced {

// How many workers more than before there may be during a reload.
struct MaxSurge {
  unsigned amount = 0;   // 0: as many as the candidate has
  bool percent = false;  // of the candidate's workers; rounded up

  bool limits() const { return amount != 0; }
  // Of this many workers at a time; at least 1, and not more than there are.
  unsigned of(unsigned workers) const {
    if (!limits()) return workers;
    const unsigned long number = percent ? (static_cast<unsigned long>(workers) * amount + 99) / 100 : amount;
    return static_cast<unsigned>(std::clamp<unsigned long>(number, 1, workers));
  }

  friend bool operator==(const MaxSurge&, const MaxSurge&) = default;
};

class Batches {
 public:
  struct Slots {
    unsigned first;
    unsigned end;
  };

  // Of the candidate's workers, the last one with those that are left over. size: at least 1.
  Batches(unsigned workers, unsigned size) : workers_(workers), size_(size) {}

  unsigned count() const { return (workers_ + size_ - 1) / size_; }
  unsigned size() const { return size_; }
  unsigned joined() const { return joined_; }               // batches that serve
  bool under_way() const { return begun_ > joined_; }       // one is started, and does not serve yet
  bool is_last_begun() const { return begun_ == count(); }  // there is none to follow
  unsigned workers_begun() const { return ends_after(begun_); }
  unsigned workers_joined() const { return ends_after(joined_); }
  unsigned size_of_next() const { return ends_after(begun_ + 1) - ends_after(begun_); }

  // The batch under way is to take the place of the old worker that has this slot; the last one of all that are
  // left, should there be more than the candidate has.
  bool replace(unsigned slot) const {
    return under_way() && slot >= workers_joined() && (is_last_begun() || slot < workers_begun());
  }

  // The next one; none is under way.
  Slots begin() {
    ++begun_;
    return {workers_joined(), workers_begun()};
  }
  void join() { joined_ = begun_; }  // the one under way

 private:
  template <class>
  friend struct Members;
  Batches() = default;

  unsigned ends_after(unsigned batches) const { return std::min(workers_, batches * size_); }

  unsigned workers_ = 1;
  unsigned size_ = 1;
  unsigned begun_ = 0;
  unsigned joined_ = 0;
};

}  // namespace graced
