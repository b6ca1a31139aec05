// Which --listen a socket in the service manager's store belongs to, and which sockets belong there.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/store_name.h"
#include "handoff/passed_socket.h"
#include "linux/manager/fd_store.h"
#include "linux/sockets/listener.h"

namespace graced {

// What an earlier graced has left, for the first generation of this one.
class RestoredListeners {
 public:
  explicit RestoredListeners(FdStore& store);

  // Those of `spec`, which is the occurrence-th with this address. Empty: there are none, or they are not
  // what it asks for. Throws ListenError if the spec's options cannot be had.
  std::vector<std::shared_ptr<Listener>> take(const ListenSpec& spec, unsigned occurrence);

  bool empty() const { return kept_.empty(); }

  // Closes what nobody took, so that its addresses can be bound by whoever wants them now.
  void drop_rest();

  // Until it is told to forget them, which is when they serve, as the files of those that are unix sockets
  // must not go with a start that failed.
  const std::vector<std::shared_ptr<Listener>>& taken() const { return taken_; }
  void forget_taken() { taken_.clear(); }

 private:
  struct Kept {
    StoreName name;
    Fd fd;
  };

  FdStore& store_;
  std::vector<Kept> kept_;
  std::vector<std::shared_ptr<Listener>> taken_;
};

// From now on the store has the sockets that graced has made of these, and no others.
// `instead`: what is stored in the place of a listener's own socket, for whoever comes next.
void store_listeners(FdStore& store, const std::vector<PassedSocket>& sockets,
                     const std::map<const Listener*, int>& instead = {});

}  // namespace graced
