// What of the sockets outlives this graced: in the manager's store, for the one that it starts next, and with
// their files.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handoff/passed_socket.h"
#include "handoff/stored_listeners.h"
#include "linux/base/fd.h"
#include "linux/manager/fd_store.h"
#include "linux/manager/service_manager.h"
#include "linux/sockets/listener.h"

namespace graced {

class SocketKeeper {
 public:
  // Of graced's environment; nullopt: not set.
  struct Variables {
    std::optional<std::string> fdstore;        // FDSTORE
    std::optional<std::string> notify_socket;  // NOTIFY_SOCKET
  };
  // stored: what an earlier graced left. `manager` is borrowed.
  SocketKeeper(ServiceManager& manager, std::vector<StoredDescriptor> stored, Variables variables);

  // What another image of this process takes over, see linux/upgrade: nothing that was restored waits any more.
  const FdStore::Kept& kept() const { return store_.kept(); }
  SocketKeeper(ServiceManager& manager, Variables variables, FdStore::Kept kept);

  // What an earlier graced had for --listen.
  RestoredListeners& restored() { return restored_; }
  const RestoredListeners& restored() const { return restored_; }

  // What its workers had bound themselves; once. wanted: else the store has it no more.
  std::vector<Fd> take_adopted(bool wanted);

  // Does the manager keep the sockets for a graced that it starts again when this one has ended with that exit
  // status? Asked once, at the end.
  bool is_followed(int exit_status);

  // From now on the store has the sockets of the generation that serves.
  void store(const std::vector<PassedSocket>& sockets);

  // Those that workers have bound themselves, by inode. waiting_for: while graced stops, the sockets of
  // --listen; what new connections wait in until the next graced belongs to one of those, if that is its
  // address.
  void store_adopted(const std::map<ino_t, int>& adopted, const std::vector<PassedSocket>& waiting_for);

 private:
  ServiceManager& manager_;
  Variables variables_;
  FdStore store_;
  RestoredListeners restored_;
  std::optional<bool> followed_;  // once that was asked
};

}  // namespace graced
