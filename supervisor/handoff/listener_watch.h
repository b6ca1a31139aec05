// Keeps the listening sockets listening, where they did and as long a queue as they had: a worker may shut one
// down, or make its queue shorter, for all generations that share it; and anybody may remove its path. Tells of
// who comes to one that nobody accepts from.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "linux/event/file_watch.h"
#include "linux/event/loop.h"
#include "linux/sockets/listen_socket.h"
#include "linux/sockets/listener.h"

namespace graced {

class ListenerNumbers;
class TakenListeners;

class ListenerWatch {
 public:
  enum class Outcome {
    listens_again,
    trying,         // `why` not, for now
    lost,           // a unix socket that is shut: only a new one, in a new generation, can listen there
    queue_is_back,  // `why`: how long it was, and is
    path_is_back,
    path_is_gone,   // `why` it cannot be put back
    path_is_taken,  // by another file, which stays
    no_spare_path,  // it could not be put back, `why`
    not_watched,    // a path that goes will be noticed at look_again() only, `why`
  };
  using Teller = std::function<void(const Listener& listener, Outcome outcome, const std::string& why)>;

  // What happened is told through `tell`, which may call watch(), and through `arrived`, which may call what it
  // likes of the following.
  ListenerWatch(Loop& loop, Teller tell, std::function<void(const Listener&)> arrived);

  // These from now on, and no others. They are kept open until the next call. Spare names of their paths are in
  // the directory spare_place.
  void watch(const std::vector<std::shared_ptr<Listener>>& listeners, const std::string& spare_place);

  // At their queues and paths, which nothing wakes us for; at the latter also where nothing can.
  void look_again();
  void look_at_paths();

  void forget(const Listener& listener);

  // Whether to tell if there is a connection to accept: at first not. Nothing if it is not watched.
  void tell_of_arrivals(const Listener& listener, bool tell);

  // What another image of this process takes over, see linux/upgrade: what was told, of listeners by their
  // numbers. Nothing is watched, and no path looked at, before the first watch().
  struct Kept {
    struct Watched {
      unsigned listener = 0;
      bool told = false;
      bool lost = false;
      bool path_told = false;
      bool tells_of_arrivals = false;
    };
    std::vector<Watched> watched{};
  };
  Kept kept(ListenerNumbers& numbers) const;
  int descriptor() const { return files_ ? files_->fd() : -1; }  // that the other image makes anew; -1: none
  ListenerWatch(Loop& loop, Teller tell, std::function<void(const Listener&)> arrived, const Kept& kept,
                const TakenListeners& listeners);

 private:
  struct Watched {
    std::shared_ptr<Listener> listener;
    SocketAddress where;
    Source shut;  // or, if that is to be told, somebody has come
    Source retry;
    bool told = false;  // that it cannot be helped for now
    bool lost = false;  // for ever, which was told
    int file = -1;      // in files_
    bool path_told = false;
    bool tells_of_arrivals = false;
  };

  void begin(std::shared_ptr<Listener> listener, const std::string& spare_place);
  void go_on(Watched& watched, const Kept::Watched& before);
  void keep_path(Watched& watched, const std::string& spare_place, bool was_told);
  int watch_file(const std::string& path);  // -1 with why_not_watched_
  void end(const Watched& watched);
  void look_at(Watched& watched);
  void revive(Watched& watched);
  void look_at_path(Watched& watched);

  Loop& loop_;
  Teller tell_;
  std::function<void(const Listener&)> arrived_;
  std::list<Watched> watched_;
  std::unordered_map<const Listener*, Watched*> by_listener_;
  std::optional<FileWatch> files_;  // while there is a path
  std::string why_not_watched_;
  Source files_changed_;
  std::unordered_map<const Listener*, Kept::Watched> taken_over_;  // until the first watch()
};

}  // namespace graced
