// See listener_watch.h.
#include "listener_watch.h"

#include <algorithm>

#include "linux/shut_listener.h"

namespace graced {

ListenerWatch::ListenerWatch(Loop& loop, Teller tell) : loop_(loop), tell_(std::move(tell)) {}

void ListenerWatch::watch(const std::vector<std::shared_ptr<Listener>>& listeners) {
  std::erase_if(watched_, [&](const Watched& w) { return !std::ranges::count(listeners, w.listener); });
  for (const auto& listener : listeners) {
    const bool known = std::ranges::any_of(watched_, [&](const Watched& w) { return w.listener == listener; });
    if (!known && takes_connections(listener->kind())) begin(listener);
  }
}

void ListenerWatch::begin(std::shared_ptr<Listener> listener) {
  SocketAddress where;
  if (::getsockname(listener->fd(), where.get(), &where.length) != 0) return;
  Watched& watched = watched_.emplace_back(Watched{std::move(listener), where, {}, {}});
  // Connections that come do not wake us: they are not among the events.
  watched.shut =
      loop_.on_fd(watched.listener->fd(), shut_events, Turn::control, [this, &watched] { revive(watched); });
  watched.shut.limit(1s, 5);  // whoever shuts it down again and again shall not keep us busy
  watched.retry = loop_.timer([this, &watched] { revive(watched); });
}

void ListenerWatch::revive(Watched& watched) {
  if (!is_shut(watched.listener->fd())) return;
  const auto listener = watched.listener;  // what is told may end the watch
  const std::string address = listener->spec().address();
  try {
    if (!listen_again(listener->fd(), watched.where, listener->spec().options, address)) {
      watched.shut.enable(false);
      return tell_(*listener, Outcome::lost, "");
    }
    watched.shut.enable(true);
    watched.told = false;
    tell_(*listener, Outcome::listens_again, "");
  } catch (const ListenError& error) {
    watched.shut.enable(false);  // it stays hung up until then
    watched.retry.fire_at(monotonic_now() + 1s);
    if (std::exchange(watched.told, true)) return;
    tell_(*listener, Outcome::trying, error.what());
  }
}

}  // namespace graced
