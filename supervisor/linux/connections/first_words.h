// Those who have just connected, and have not said yet what they want: many a worker closes their connections
// when it is told to leave. Looked for from outside, for some moments after new connections go elsewhere.
#pragma once

#include <sys/types.h>

#include <unordered_set>
#include <vector>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/base/socket_name.h"

namespace graced {

// Where the workers of one generation accept: TCP sockets that listen.
class ArrivalPlaces {
 public:
  // borrowed: those that were passed to the workers, among `passed` descriptors from 3 on; owned: others.
  ArrivalPlaces(std::vector<int> borrowed, std::vector<Fd> owned, int passed);

  bool anybody_queued() const;
  bool has(const SocketName& accepted);  // came from one of them
  bool passed_as(int fd) const { return fd >= 3 && fd < 3 + passed_; }

 private:
  std::vector<int> sockets_;
  std::vector<Fd> owned_;
  int passed_;
  std::vector<SocketName> names_;  // once they are needed
};

class FirstWords {
 public:
  // Of one worker with all of its process tree.
  explicit FirstWords(pid_t worker) : worker_(worker) {}

  // Whether all who have connected are accepted and heard, or have had `patience` to speak; to be asked when
  // nobody is queued. Where that is too much to ask at each connection, or forbidden, it is never said.
  bool heard(ArrivalPlaces& places, Duration patience);

 private:
  struct Looking;
  bool heard_by(pid_t process, const Looking& looking);
  bool heard_by_all_of_list(pid_t top, const Looking& looking);

  pid_t worker_;
  std::unordered_set<ino_t> known_;  // heard, or none of theirs
};

}  // namespace graced
