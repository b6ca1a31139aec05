// The unix names (paths, and abstract ones) that workers of all generations have bound.
//
// A path is one file. The first socket is bound exactly there. The next generation's is bound beside it, as
// PATH.gN, and is renamed over PATH when it listens and its generation is promoted: until then everybody
// reaches the old one, and a candidate that fails has changed nothing. What a worker unlinks stays, so
// that an old generation cannot take the new one's file away; the file goes when graced lets its last
// socket go, unless another file has taken its place.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "linux/fd.h"
#include "linux/socket_holders.h"

namespace graced {

class AdoptedNames;

class AdoptedName {
 public:
  AdoptedName(const AdoptedName&) = delete;
  AdoptedName& operator=(const AdoptedName&) = delete;
  ~AdoptedName();  // removes the file if it is still this one

 private:
  friend class AdoptedNames;
  friend class Adoption;
  AdoptedName() = default;

  AdoptedNames* names_ = nullptr;
  std::uint64_t generation_ = 0;
  const void* worker_ = nullptr;  // whose: tells an Adoption from another, never followed
  std::string text_;              // "/run/a.sock", "@abstract": absolute as graced sees it

  Fd directory_;        // of a path; none for an abstract name
  std::string file_;    // last part of the path
  std::string beside_;  // the name it has until it is put in place, empty once it is
  dev_t device_ = 0;    // of the socket file
  ino_t file_inode_ = 0;
  bool unlinked_ = false;  // the worker believes that it has removed it

  ino_t inode_ = 0;        // of the socket
  SocketHolder holder_{};  // who bound it
  Fd listening_;           // our duplicate, once it listens
};

class AdoptedNames {
 public:
  AdoptedNames() = default;
  AdoptedNames(const AdoptedNames&) = delete;
  AdoptedNames& operator=(const AdoptedNames&) = delete;

  // From now on this generation's sockets are found at their paths: what it listens on is put in place
  // now, what it will listen on then. Call it at promotion, the first one's too. The result tells what
  // could not be put in place, a line each.
  std::vector<std::string> promote(std::uint64_t generation);

  bool empty() const { return held_.empty(); }

 private:
  friend class AdoptedName;
  friend class Adoption;

  std::vector<AdoptedName*> held_;
  std::uint64_t promoted_ = 0;
};

}  // namespace graced
