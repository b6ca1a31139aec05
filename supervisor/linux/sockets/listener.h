// A socket that workers are given: bound, listening where it takes connections, owned by graced.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/listen_spec.h"
#include "linux/base/fd.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/unix_path.h"

namespace graced {

class Listener {
 public:
  // Made by graced; path is empty unless it has a file.
  Listener(ListenSpec spec, Fd fd, UnixPath path, std::optional<Hidden> hidden = {});
  Listener(ListenSpec spec, Fd fd, UnixPath path, int not_aside);

  // Made by whoever started graced. Throws ListenError if fd is no socket, or one that carries a
  // connection instead of listening for them.
  static std::shared_ptr<Listener> inherited(ListenSpec spec, Fd fd);

  // In the place of a unix socket that was shut down and whose name cannot be bound again while anybody has it:
  // one that listens where nobody comes, so that workers have as many as they expect and none that hangs up
  // for ever. It goes by the address of the other. Throws ListenError.
  static std::shared_ptr<Listener> stand_in(const Listener& shut);

  // Made by an earlier graced and kept by the service manager. nullptr if it is not what the spec asks for
  // any more: another kind of socket, shut down, or its file (`file` as it was) is gone. Throws ListenError if
  // the spec's options cannot be had.
  static std::shared_ptr<Listener> restored(ListenSpec spec, Fd fd, FileId file);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    ListenSpec spec;
    int fd = -1;
    UnixPath::Kept path{};
    AddressKind kind = AddressKind::tcp;
    std::string address{};
    bool made_by_graced = false;
    bool stands_in = false;
    bool is_directed = false;
    std::optional<unsigned> queue{};
    std::optional<Hidden> hidden{};
    int not_aside = 0;
    std::string key{};
  };
  Kept kept() const;
  explicit Listener(Kept kept);

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_.get(); }
  ino_t inode() const { return inode_; }  // of the socket, whoever has it under whatever number
  const ListenSpec& spec() const { return spec_; }
  std::string name() const { return spec_.name(); }        // for LISTEN_FDNAMES
  const std::string& address() const { return address_; }  // as really bound: "tcp [::]:8080"
  AddressKind kind() const { return kind_; }               // as the kernel says; inherited: none we know
  bool made_by_graced() const { return made_by_graced_; }
  bool stands_in() const { return stands_in_; }  // nobody can connect to it
  // A unix socket that no worker can accept from ever again.
  bool is_shut_for_ever() const;
  const std::string& key() const { return key_; }  // see group_key()

  // udp: what comes is directed, so that the next generation can have a socket of its own beside it. Said by
  // whoever directs it.
  bool is_directed() const { return is_directed_; }
  void set_directed(bool directed) { is_directed_ = directed; }

  // One that was opened hidden gets connections from now on. Throws std::system_error.
  void show();
  const std::optional<Hidden>& hidden() const { return hidden_; }  // tcp
  // An errno: why the path of a unix socket could not be kept from clients that long; else 0.
  int not_aside() const { return not_aside_; }
  // From now on a tcp socket that graced made refuses new clients, though workers still have it and accept what
  // is queued. Throws std::system_error.
  void refuse();

  // Whether another socket can be bound where this one is, while workers still have it: it has a file.
  bool can_be_replaced() const { return static_cast<bool>(path_); }
  void remove_file() { path_ = UnixPath{}; }

  const UnixPath& path() const { return path_; }  // empty: no file, or not graced's
  int keep_spare_path(const std::string& place) { return path_.keep_spare(place); }

  // The path is missing and a reload can only bind another socket there.
  bool lost_its_path() const {
    return path_ && !path_.has_spare() && path_.place() == UnixPath::Place::missing;
  }

  // A worker's listen(2) changes the queue of all who have the socket: makes it as long again as was asked for.
  // What was changed, if the kernel tells.
  struct Queue {
    unsigned is;
    unsigned was;
  };
  std::optional<Queue> keep_queue();

  FileId file() const { return path_.id(); }
  void leave_file() { path_.leave(); }  // for the next graced

 private:
  friend void apply_options(Listener& listener, const ListenOptions& options);

  ListenSpec spec_;
  Fd fd_;  // closed after the file is gone
  ino_t inode_;
  UnixPath path_;  // empty: no file, or not ours to remove
  AddressKind kind_;
  std::string address_;
  bool made_by_graced_;
  bool stands_in_ = false;
  bool is_directed_ = false;
  std::optional<unsigned> queue_;  // how long it may be; of one that graced made: once that was looked at
  std::optional<Hidden> hidden_;
  int not_aside_ = 0;
  std::string key_;
};

// How sockets begin to listen.
struct Opening {
  // tcp, udp: as share_address() does; whoever holds the address now is in the way all the same
  bool share = false;
  // Until Listener::show(): tcp, and unix sockets that have a path. See UnixPath::step_aside().
  bool hidden = false;
  std::string spare_place{};
};

// Binds what the spec asks for: several if it is a host name with several addresses; "8080" is one
// socket for IPv6 and IPv4, or for IPv4 alone where IPv6 is off. `fd:N` can be taken once: descriptor N
// is moved to another number. All of them or none. Throws ListenError, one line with the way out:
// "bind 127.0.0.1:80: Permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE)".
// Numbers are whatever was free: whoever passes them on at 3… must expect them there.
std::vector<std::shared_ptr<Listener>> open_listeners(const ListenSpec& spec, const Opening& opening = {});

// Throws what open_listeners would throw, also where one of `before` is in the way, to which it adds what must
// be kept for the next call. Nobody can connect; descriptors of `fd:N` are not looked at.
void try_to_listen(const ListenSpec& spec, std::vector<Fd>& before);

// Whether each generation can have a socket of its own on this address, in one SO_REUSEPORT group: tcp that
// graced opened.
bool can_be_switched(const Listener& listener);

// The same of udp, if it was opened with Opening::share.
bool shares_datagrams(const Listener& listener);

// Lets further sockets of this user bind the same address (SO_REUSEPORT). Throws ListenError.
void share_address(const Listener& listener);

// Another socket on the very address that this one is bound to, listening, with the options of `spec`, which
// check_options has passed. Shares the address first. Throws ListenError.
std::shared_ptr<Listener> open_again(const Listener& listener, const ListenSpec& spec);

// For a socket that is kept over a reload: throws ListenError if these options cannot be had without
// binding it anew (ipv6-only, free-bind, device, nonblock, a buffer back to its default).
void check_options(const Listener& listener, const ListenOptions& options);

// Makes it what open_listeners would have made with these options; one no longer given goes back to its
// default. Throws as check_options does, or what the kernel says; then nothing was changed.
void apply_options(Listener& listener, const ListenOptions& options);

}  // namespace graced
