// What was told of listening sockets, as one image of graced hands it to the next.
#include <algorithm>
#include <utility>

#include "handoff/kept_listeners.h"
#include "handoff/listener_watch.h"

namespace graced {

ListenerWatch::Kept ListenerWatch::kept(ListenerNumbers& numbers) const {
  Kept kept;
  for (const Watched& w : watched_)
    kept.watched.push_back({numbers.of(w.listener), w.told, w.lost, w.path_told, w.tells_of_arrivals});
  std::ranges::sort(kept.watched, {}, &Kept::Watched::listener);  // they are watched in no order
  return kept;
}

ListenerWatch::ListenerWatch(Loop& loop, Teller tell, std::function<void(const Listener&)> arrived,
                             const Kept& kept, const TakenListeners& listeners)
    : ListenerWatch(loop, std::move(tell), std::move(arrived)) {
  for (const Kept::Watched& w : kept.watched) taken_over_.emplace(listeners.at(w.listener).get(), w);
}

}  // namespace graced
