// Keeps the listening sockets listening: a worker may shut one down that all generations share.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "linux/listen_socket.h"
#include "linux/listener.h"
#include "linux/loop.h"

namespace graced {

class ListenerWatch {
 public:
  enum class Outcome {
    listens_again,
    trying,  // `why` not, for now
    lost,    // a unix socket: only a new one, in a new generation, can listen there
  };
  using Teller = std::function<void(const Listener& listener, Outcome outcome, const std::string& why)>;

  // What happened is told through `tell`, which may call watch().
  ListenerWatch(Loop& loop, Teller tell);

  // These from now on, and no others; what takes no connections is left out. They are kept open until the
  // next call.
  void watch(const std::vector<std::shared_ptr<Listener>>& listeners);

 private:
  struct Watched {
    std::shared_ptr<Listener> listener;
    SocketAddress where;
    Source shut;
    Source retry;
    bool told = false;  // that it cannot be helped for now
  };

  void begin(std::shared_ptr<Listener> listener);
  void revive(Watched& watched);

  Loop& loop_;
  Teller tell_;
  std::list<Watched> watched_;
};

}  // namespace graced
