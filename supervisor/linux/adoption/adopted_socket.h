// A worker's socket that graced has bound for it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/proc/socket_holders.h"
#include "linux/sockets/hiding.h"

namespace graced {

struct AdoptedName;

struct AdoptedSocket {
  std::string key;      // group_key()
  std::string address;  // to show: "tcp [::]:8080", "unix /run/a.sock", "unix @abstract"
  std::string pattern;  // unix: its key without numbers of the process that has bound it
  ino_t inode = 0;

  // Our duplicate, the same open file description as the worker's. Only once it listens: before, the
  // worker may as well connect with it, and then a close must be the last one.
  Fd fd;
  bool listening = false;

  std::optional<Hidden> hidden{};  // from its first listen(2) on, until it is shown

  bool predeclared = false;  // graced's own, put in place of the worker's
  bool datagrams = false;    // udp: it hears from everybody since it was bound, which counts as listening

  std::shared_ptr<AdoptedName> name;  // unix; its file goes with the last AdoptedSocket that has it
  std::vector<std::shared_ptr<AdoptedName>> second_names;  // paths that it was linked from

  SocketHolder holder{};  // who was last seen to have it

  bool steerable() const { return !name && !datagrams; }  // tcp: there is a group
  // One socket for several workers, by a unix name that only one can have: abstract names between
  // generations, paths within one. There is nothing to switch, and no queue that is a generation's own.
  bool shared() const { return name.use_count() > 1; }

  struct Kept;  // see kept_adoption.h
};

// Its key, address and pattern follow from its name.
void called_by_its_name(AdoptedSocket& socket);

// Whether two unix names are the same but for what their processes have put into them to make a name of their
// own: their numbers, and random parts. No other generation can know such a name.
bool made_anew(const AdoptedSocket& one, const AdoptedSocket& other);

}  // namespace graced
