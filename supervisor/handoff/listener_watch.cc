#include "handoff/listener_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unordered_set>

#include "linux/sockets/shut_listener.h"

namespace graced {

namespace {

std::string text_of(int code) {
  return std::generic_category().message(code);
}

}  // namespace

ListenerWatch::ListenerWatch(Loop& loop, Teller tell, std::function<void(const Listener&)> arrived)
    : loop_(loop), tell_(std::move(tell)), arrived_(std::move(arrived)) {}

void ListenerWatch::watch(const std::vector<std::shared_ptr<Listener>>& listeners,
                          const std::string& spare_place) {
  std::unordered_set<const Listener*> wanted;
  for (const auto& listener : listeners) wanted.insert(listener.get());
  std::erase_if(watched_, [&](const Watched& w) {
    const bool unwanted = !wanted.contains(w.listener.get());
    if (unwanted) end(w);
    return unwanted;
  });
  for (const auto& listener : listeners) {
    if (!by_listener_.contains(listener.get())) begin(listener, spare_place);
  }
  taken_over_.clear();
  if (files_ && std::ranges::none_of(watched_, [](const Watched& w) { return w.file >= 0; })) {
    files_changed_ = Source();
    files_.reset();
  }
}

void ListenerWatch::begin(std::shared_ptr<Listener> listener, const std::string& spare_place) {
  const auto where = local_address(listener->fd());
  if (!where) return;
  Watched& watched = watched_.emplace_back();
  watched.listener = std::move(listener);
  by_listener_.emplace(watched.listener.get(), &watched);
  watched.where = *where;
  watched.retry = loop_.timer([this, &watched] { revive(watched); });
  if (takes_connections(watched.listener->kind())) {
    // Connections that come do not wake us: they are not among the events.
    watched.shut = loop_.on_fd(watched.listener->fd(), shut_events, Priority::in_turn,
                               [this, &watched] { look_at(watched); });
    watched.shut.limit(1s, 5);  // whoever shuts it down again and again shall not keep us busy
  }
  const auto before = taken_over_.find(watched.listener.get());
  if (before != taken_over_.end()) go_on(watched, before->second);
  if (watched.listener->path()) keep_path(watched, spare_place, before != taken_over_.end());
}

void ListenerWatch::go_on(Watched& watched, const Kept::Watched& before) {
  watched.told = before.told;
  watched.lost = before.lost;
  watched.path_told = before.path_told;
  if (before.lost && watched.shut) watched.shut.enable(false);
  if (before.tells_of_arrivals) tell_of_arrivals(*watched.listener, true);
}

void ListenerWatch::keep_path(Watched& watched, const std::string& spare_place, bool was_told) {
  Listener& listener = *watched.listener;
  if (const int failed = listener.keep_spare_path(spare_place); failed != 0 && !was_told) {
    tell_(listener, Outcome::no_spare_path, text_of(failed));
  }
  if (listener.path().is_aside()) return;  // until it serves: see look_at_path()
  watched.file = watch_file(listener.path().text());
  look_at_path(watched);  // it may have gone before it was watched
  if (watched.file < 0 && !was_told) tell_(listener, Outcome::not_watched, why_not_watched_);
}

int ListenerWatch::watch_file(const std::string& path) {
  try {
    if (!files_) {
      files_.emplace();
      files_changed_ = loop_.on_fd(files_->fd(), EPOLLIN, Priority::in_turn, [this] {
        files_->clear();
        look_at_paths();
      });
      files_changed_.limit(1s, 5);  // whoever removes a path again and again shall not either
    }
    const int number = files_->add(path);
    if (number < 0) why_not_watched_ = fmt::format("inotify: {}", text_of(errno));
    return number;
  } catch (const std::exception& e) {
    why_not_watched_ = e.what();
    return -1;
  }
}

void ListenerWatch::end(const Watched& watched) {
  by_listener_.erase(watched.listener.get());
  if (files_) files_->remove(watched.file);
}

void ListenerWatch::forget(const Listener& listener) {
  const auto known = by_listener_.find(&listener);
  if (known == by_listener_.end()) return;
  const Watched* watched = known->second;
  end(*watched);
  watched_.remove_if([&](const Watched& w) { return &w == watched; });
}

void ListenerWatch::tell_of_arrivals(const Listener& listener, bool tell) {
  const auto known = by_listener_.find(&listener);
  if (known == by_listener_.end()) return;
  Watched& watched = *known->second;
  watched.tells_of_arrivals = tell;
  watched.shut.set_events(tell ? shut_events | EPOLLIN : shut_events);
}

void ListenerWatch::look_at(Watched& watched) {
  if (!watched.tells_of_arrivals || is_shut(watched.listener->fd())) return revive(watched);
  const auto listener = watched.listener;  // who is told may end the watch
  arrived_(*listener);
}

void ListenerWatch::look_again() {
  for (const Watched& w : watched_) {
    const auto changed = w.listener->keep_queue();
    if (changed)
      tell_(*w.listener, Outcome::queue_is_back, fmt::format("not {} but {}", changed->was, changed->is));
  }
  look_at_paths();
}

void ListenerWatch::look_at_paths() {
  // What is told may end a watch, or begin one.
  std::vector<std::shared_ptr<Listener>> with_path;
  for (const Watched& w : watched_) {
    if (w.listener->path()) with_path.push_back(w.listener);
  }
  for (const auto& listener : with_path) {
    const auto w = std::ranges::find(watched_, listener, &Watched::listener);
    if (w != watched_.end()) look_at_path(*w);
  }
}

void ListenerWatch::look_at_path(Watched& watched) {
  const auto listener = watched.listener;
  if (listener->path().is_aside()) return;
  const UnixPath::PutBack found = listener->path().put_back_if_missing();
  const bool is_there = found.place == UnixPath::Place::ours;
  if (is_there && watched.file < 0) watched.file = watch_file(listener->path().text());
  if (is_there) watched.path_told = false;
  if (found.put_back) return tell_(*listener, Outcome::path_is_back, "");
  if (is_there || std::exchange(watched.path_told, true)) return;
  const bool taken = found.place == UnixPath::Place::taken;
  tell_(*listener, taken ? Outcome::path_is_taken : Outcome::path_is_gone, taken ? "" : text_of(found.error));
}

void ListenerWatch::revive(Watched& watched) {
  if (!is_shut(watched.listener->fd())) return;
  const auto listener = watched.listener;  // what is told may end the watch
  const std::string address = listener->spec().address();
  try {
    if (!listen_again(listener->fd(), watched.where, listener->spec().options, address)) {
      watched.shut.enable(false);
      watched.lost = true;
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
