// Answers a worker, with all its processes and threads, when it binds and listens: graced does both for it,
// on a duplicate of the worker's own socket that it has put into a SO_REUSEPORT group, so that two
// generations can have one address.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "linux/adoption/adopted_names.h"
#include "linux/adoption/adopted_socket.h"
#include "linux/adoption/adoption_request.h"
#include "linux/base/fd.h"
#include "linux/seccomp/seccomp_notifications.h"

namespace graced {

class Adoption {
 public:
  // A socket that graced has bound and listens on itself. A worker that binds the same address (group_key)
  // gets it in place of its own. Borrowed: stays open for as long as the Adoption lives.
  struct Predeclared {
    std::string key;
    int fd;
  };

  // How a TCP socket comes to its address, next to what others listen on.
  struct Arrival {
    enum class How {
      open,
      unseen,  // both: hidden from its first listen(2) on, see Hidden
      drop_new_connections,
      refused,  // EADDRINUSE
    } how = How::open;
    std::string note{};  // for a person, if there is something to say
  };
  // Asked before such a socket is bound, and again before it listens.
  using Arrives = std::function<Arrival(const std::string& key, int fd, const SocketAddress& where)>;

  // `notifications` comes from Spawned, `wait_killable` is what it was spawned with. `names` is one for all
  // generations and outlives them. Without `arrives` every socket is open.
  Adoption(Fd notifications, bool wait_killable, std::uint64_t generation, AdoptedNames& names,
           std::vector<Predeclared> predeclared = {}, Arrives arrives = {});
  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;
  ~Adoption();  // lets go of all sockets, and removes the unix paths that nobody else has

  // Readable: call answer(). EPOLLHUP: no process of the worker is left, stop watching it; the sockets stay
  // until forgotten.
  int fd() const { return notifications_.get(); }

  // Answers what waits now (of a flood some; the rest stays readable). A worker's nonsense gets the errno
  // that the kernel has for it; nothing is thrown for it and nothing waited for.
  void answer();

  // What is bound or listening now, oldest first. "Bound" may be out of date: see forget_closed().
  const std::vector<AdoptedSocket>& sockets() const { return sockets_; }

  // Grows whenever sockets() has changed: the worker has been quiet since it last did.
  std::uint64_t changes() const { return changes_; }

  // Listened on or bound without graced: "udp 0.0.0.0:53", "tcp 127.0.0.1:40123" (it had asked for port 0).
  const std::vector<std::string>& passed_through() const { return passed_through_; }

  // Drops the sockets that no process below graced has any more, and those that were bound only to
  // connect. Reads /proc, so: before a reload compares addresses, and where a socket that is bound and does
  // not listen keeps a candidate from being ready.
  void forget_closed();

  // What was hidden gets connections from now on. Throws std::system_error; the others are shown all the same.
  void show();

  // One of sockets(), before the others: its file goes, unless another has it.
  void let_go(ino_t inode) {
    changes_ += std::erase_if(sockets_, [&](const auto& s) { return s.inode == inode; });
  }

  // Things a person should know, each once: "tcp [::]:8080: …". Empty the second time.
  std::vector<std::string> take_notes();

 private:
  // What the worker's call returns: 0 or an errno; nullopt: what the kernel says when it does it.
  using Verdict = std::optional<int>;
  Verdict verdict_on(const AdoptionRequest& request);
  Verdict on_bind(const AdoptionRequest& request);
  Verdict on_listen(const AdoptionRequest& request);
  Verdict on_unlink(const AdoptionRequest& request);
  Verdict on_move(const AdoptionRequest& request);  // rename, link

  Verdict bind_tcp(const AdoptionRequest& request, const SocketAddress& where, Fd socket);
  Verdict bind_again(ino_t inode);
  Fd made_plain(const AdoptionRequest& request, const SocketAddress& where, Fd mptcp);
  Verdict bind_unix(const AdoptionRequest& request, const SocketAddress& where, Fd socket);
  Verdict bind_abstract(const AdoptionRequest& request, const SocketAddress& where, Fd socket,
                        const std::string& name);
  int bind_as_worker(const AdoptionRequest& request, const SocketAddress& where, const Fd& socket,
                     const Fd& directory, const std::string& beside);
  Verdict share(const AdoptionRequest& request, const std::shared_ptr<AdoptedName>& name);

  struct Place;
  std::optional<Place> place_of(const AdoptionRequest& request, int base, const std::string& path);
  bool drop_second_name(AdoptedName& name);
  Verdict rename_name(const AdoptionRequest& request, const std::shared_ptr<AdoptedName>& name,
                      const Place& from, const Place& to);
  Verdict link_name(const AdoptionRequest& request, const AdoptedName& name, const Place& to);
  Verdict leave_in_place(const AdoptionRequest& request, const Place& from, const Place& to);
  static void called_by_its_name(AdoptedSocket& socket);
  void put_in_place_if_due(AdoptedName& name);

  Arrival::How arrival(const std::string& key, int fd, const SocketAddress& where);
  int start_listening(AdoptedSocket& adopted, int fd, int backlog);

  const Predeclared* predeclared(const std::string& key) const;
  void note_near_miss(const SocketAddress& where);
  Verdict take_predeclared(const AdoptionRequest& request, const Predeclared& ours, const Fd& socket);
  // Puts our socket in place of the worker's. 0 or an errno.
  int replace(const AdoptionRequest& request, int ours);

  AdoptedSocket& add(const AdoptionRequest& request, const std::string& key, const std::string& address,
                     ino_t inode, std::shared_ptr<AdoptedName> name = nullptr);
  std::vector<AdoptedSocket>::iterator find(ino_t inode);
  void pass(const std::string& address);
  void note(const std::string& text);
  void note_refused(const AdoptionRequest& request, int code);

  SeccompNotifications notifications_;
  bool wait_killable_;
  std::uint64_t generation_;
  AdoptedNames& names_;
  std::uint64_t worker_;
  std::vector<Predeclared> predeclared_;
  Arrives arrives_;
  std::vector<AdoptedSocket> sockets_;
  std::size_t look_again_at_ = 64;  // sockets: then those that were closed are forgotten
  struct Bind {
    pid_t thread = 0;
    ino_t socket = 0;  // 0: nothing was bound
    SocketAddress where{};
    bool operator==(const Bind& other) const {
      return thread == other.thread && socket == other.socket && where.same_as(other.where);
    }
  };
  Bind this_bind_;  // by the request that is being answered
  Bind last_bind_;  // of which its thread may not have heard
  std::vector<std::string> passed_through_;
  std::vector<std::string> notes_;  // not taken yet
  std::set<std::string> noted_;     // ever
  std::uint64_t changes_ = 0;
};

}  // namespace graced
