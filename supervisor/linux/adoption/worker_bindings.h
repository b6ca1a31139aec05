// What one worker has bound and listens on whose calls graced answers, and what a person should know of that.
#pragma once

#include <cstddef>
#include <cstdint>
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

class WorkerBindings {
 public:
  // See Adoption.
  struct Predeclared {
    std::string key;
    int fd;
  };

  // What the worker's call returns: 0 or an errno; nullopt: what the kernel says when it does it.
  using Verdict = std::optional<int>;

  WorkerBindings(Fd notifications, bool wait_killable, std::vector<Predeclared> predeclared);

  // What another image of this process takes over, between two answers; see kept_adoption.h.
  struct Kept;
  Kept kept(const AdoptedNames& names) const;
  WorkerBindings(Kept kept, const TakenNames& names);

  int fd() const { return notifications_.get(); }
  std::optional<seccomp_notif> next() { return notifications_.next(); }

  // The thread that asked is still there, and waits.
  bool still_asks(const AdoptionRequest& request) { return notifications_.still_asked(request.id); }
  void answer(const AdoptionRequest& request, Verdict verdict);

  // Puts our socket in place of the worker's. 0 or an errno.
  int replace(const AdoptionRequest& request, int ours);

  const std::vector<Predeclared>& all_predeclared() const { return predeclared_; }
  const Predeclared* predeclared(const std::string& key) const;
  void take_back(int predeclared);
  Verdict take_predeclared(const AdoptionRequest& request, const Predeclared& ours, const Fd& socket);

  // A call of bind(2) begins, and has bound a socket. Of one that is bound: done already where the worker was
  // interrupted before it heard so.
  void begins_bind(const AdoptionRequest& request, const SocketAddress& where);
  void has_bound(ino_t inode) { this_bind_.socket = inode; }
  Verdict bind_again(ino_t inode);

  std::vector<AdoptedSocket>& sockets() { return sockets_; }
  const std::vector<AdoptedSocket>& sockets() const { return sockets_; }
  std::vector<AdoptedSocket>::iterator find(ino_t inode);
  AdoptedSocket& add(const AdoptionRequest& request, const std::string& key, const std::string& address,
                     ino_t inode, std::shared_ptr<AdoptedName> name = nullptr);
  void forget_closed();
  void let_go(ino_t inode);

  void changed() { ++changes_; }
  std::uint64_t changes() const { return changes_; }

  void pass(const std::string& address);  // listened on, or bound, without graced
  const std::vector<std::string>& passed_through() const { return passed_through_; }

  void note(const std::string& text);
  void note_refused(const AdoptionRequest& request, int code);
  std::vector<std::string> take_notes();

 private:
  struct Bind {
    pid_t thread = 0;
    ino_t socket = 0;  // 0: nothing was bound
    SocketAddress where{};
    bool operator==(const Bind& other) const {
      return thread == other.thread && socket == other.socket && where.same_as(other.where);
    }
  };

  SeccompNotifications notifications_;
  bool wait_killable_;
  std::vector<Predeclared> predeclared_;
  std::vector<AdoptedSocket> sockets_;
  std::size_t look_again_at_ = 64;  // sockets: then those that were closed are forgotten
  Bind this_bind_;                  // by the request that is being answered
  Bind last_bind_;                  // of which its thread may not have heard
  std::vector<std::string> passed_through_;
  std::vector<std::string> notes_;  // not taken yet
  std::set<std::string> noted_;     // ever
  std::uint64_t changes_ = 0;
};

// What kind of socket it is; inherited: none that graced knows.
AddressKind kind_of(int fd);

}  // namespace graced
