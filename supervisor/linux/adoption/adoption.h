// Answers a worker, with all its processes and threads, when it binds and listens: graced does both for it,
// on a duplicate of the worker's own socket that it has put into a SO_REUSEPORT group, so that two
// generations can have one address.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "linux/adoption/adopted_names.h"
#include "linux/adoption/adopted_socket.h"
#include "linux/adoption/adoption_request.h"
#include "linux/adoption/unix_binder.h"
#include "linux/adoption/worker_bindings.h"
#include "linux/base/fd.h"

namespace graced {

class Adoption {
 public:
  // A socket that graced has bound and listens on itself. A worker that binds the same address (group_key)
  // gets it in place of its own. Borrowed: stays open for as long as the Adoption lives, or until take_back().
  using Predeclared = WorkerBindings::Predeclared;

  // How a TCP socket comes to its address, next to what others listen on.
  struct Arrival {
    enum class How {
      open,
      unseen,  // both: hidden from its first listen(2) on, see Hidden
      drop_new_connections,
      refused,  // EADDRINUSE
    } how = How::open;
    std::string note{};  // for a person, if there is something to say
    // Somebody there has connections that are of no SO_REUSEPORT group.
    bool reuse_address = false;
  };
  // Asked before such a socket is bound, and again before it listens.
  using Arrives = std::function<Arrival(const std::string& key, int fd, const SocketAddress& where)>;

  // Whether a UDP socket that is about to be bound is to be one that the next generation can have beside it.
  // Without it none is.
  using TakesDatagrams = std::function<bool(const std::string& key, int fd, const SocketAddress& where)>;

  // `notifications` comes from Spawned, `wait_killable` is what it was spawned with. `names` is one for all
  // generations and outlives them. Without `arrives` every socket is open.
  Adoption(Fd notifications, bool wait_killable, std::uint64_t generation, AdoptedNames& names,
           std::vector<Predeclared> predeclared = {}, Arrives arrives = {},
           TakesDatagrams takes_datagrams = {});

  // What another image of this process takes over, between two answers: see kept_adoption.h. `names` are those
  // that were kept with it; what a worker asks meanwhile waits. Nothing is answered, bound or removed.
  struct Kept;
  Kept kept(const AdoptedNames& names) const;
  Adoption(Kept kept, AdoptedNames& names, const TakenNames& taken, Arrives arrives = {},
           TakesDatagrams takes_datagrams = {});

  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;
  ~Adoption();  // lets go of all sockets, and removes the unix paths that nobody else has

  // Readable: call answer(). EPOLLHUP: no process of the worker is left, stop watching it; the sockets stay
  // until forgotten.
  int fd() const { return worker_.fd(); }

  // From now on who binds its address gets a socket of its own.
  void take_back(int predeclared) { worker_.take_back(predeclared); }

  // Answers what waits now (of a flood some; the rest stays readable). A worker's nonsense gets the errno
  // that the kernel has for it; nothing is thrown for it and nothing waited for.
  void answer();

  // What is bound or listening now, oldest first. "Bound" may be out of date: see forget_closed().
  const std::vector<AdoptedSocket>& sockets() const { return worker_.sockets(); }

  // Grows whenever sockets() has changed: the worker has been quiet since it last did.
  std::uint64_t changes() const { return worker_.changes(); }

  // Listened on or bound without graced: "udp 0.0.0.0:53", "tcp 127.0.0.1:40123" (it had asked for port 0).
  const std::vector<std::string>& passed_through() const { return worker_.passed_through(); }

  // Drops the sockets that no process below graced has any more, and those that were bound only to
  // connect. Reads /proc, so: before a reload compares addresses, and where a socket that is bound and does
  // not listen keeps a candidate from being ready.
  void forget_closed() { worker_.forget_closed(); }

  // What was hidden gets connections from now on. Throws std::system_error; the others are shown all the same.
  void show();

  // One of sockets(), before the others: its file goes, unless another has it.
  void let_go(ino_t inode) { worker_.let_go(inode); }

  // Things a person should know, each once: "tcp [::]:8080: …". Empty the second time.
  std::vector<std::string> take_notes() { return worker_.take_notes(); }

 private:
  using Verdict = WorkerBindings::Verdict;
  Verdict verdict_on(const AdoptionRequest& request);
  Verdict on_bind(const AdoptionRequest& request);
  Verdict on_listen(const AdoptionRequest& request);

  Verdict bind_tcp(const AdoptionRequest& request, const SocketAddress& where, Fd socket);
  Verdict bind_udp(const AdoptionRequest& request, const SocketAddress& where, Fd socket);
  int bind_in_group(const SocketAddress& where, int fd, bool reuse_address);
  bool is_in_the_way(const std::string& key, int fd);
  Fd made_plain(const AdoptionRequest& request, const SocketAddress& where, Fd mptcp);
  void note_near_miss(const SocketAddress& where);

  Arrival arrival(const std::string& key, int fd, const SocketAddress& where);
  int start_listening(AdoptedSocket& adopted, int fd, int backlog);

  WorkerBindings worker_;
  UnixBinder unix_;
  Arrives arrives_;
  TakesDatagrams takes_datagrams_;
};

}  // namespace graced
