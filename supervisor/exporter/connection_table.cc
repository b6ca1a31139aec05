// A connection is closed by shutdown(2): whoever polls it sees its end, and closes the descriptor.
#include "exporter/connection_table.h"

#include <sys/socket.h>

namespace graced {

void ConnectionTable::began(const void* connection, int socket, Instant now) {
  const std::lock_guard lock{mutex_};
  all_[connection] = {.socket = socket, .stage = Stage::asking, .since = now};
  close_oldest(false, limits_.asking);
}

void ConnectionTable::asked(const void* connection, Instant now) {
  to(connection, Stage::waiting, now);
}

void ConnectionTable::answers(const void* connection, Instant now) {
  to(connection, Stage::answering, now);
  const std::lock_guard lock{mutex_};
  close_oldest(true, limits_.answered);
}

void ConnectionTable::streams(const void* connection, Instant now) {
  to(connection, Stage::streaming, now);
}

void ConnectionTable::answered(const void* connection, Instant now) {
  to(connection, Stage::asking_again, now);
}

void ConnectionTable::ended(const void* connection) {
  const std::lock_guard lock{mutex_};
  all_.erase(connection);
}

void ConnectionTable::to(const void* connection, Stage stage, Instant now) {
  const std::lock_guard lock{mutex_};
  const auto found = all_.find(connection);
  if (found == all_.end() || found->second.stage == Stage::closing) return;
  found->second.stage = stage;
  found->second.since = now;
}

void ConnectionTable::close_oldest(bool answering, std::size_t most) {
  std::size_t count = 0;
  Connection* oldest = nullptr;
  for (auto& [name, c] : all_) {
    const bool asks = c.stage == Stage::asking || c.stage == Stage::asking_again;
    if (answering ? c.stage != Stage::answering : !asks) continue;
    ++count;
    if (oldest == nullptr || c.since < oldest->since) oldest = &c;
  }
  if (count > most) close(*oldest);
}

void ConnectionTable::close(Connection& connection) {
  ::shutdown(connection.socket, SHUT_RDWR);
  connection.stage = Stage::closing;
  ++evicted_;
}

void ConnectionTable::sweep(Instant now) {
  const std::lock_guard lock{mutex_};
  for (auto& [name, c] : all_) {
    Duration most = infinity;
    switch (c.stage) {
      case Stage::asking:
        most = limits_.until_asked;
        break;
      case Stage::asking_again:
        most = limits_.until_next_asked;
        break;
      case Stage::answering:
        most = limits_.until_read;
        break;
      case Stage::waiting:  // as long as a look takes
      case Stage::streaming:
      case Stage::closing:
        break;
    }
    if (after(c.since, most) <= now) close(c);
  }
}

std::size_t ConnectionTable::count() const {
  const std::lock_guard lock{mutex_};
  return all_.size();
}

std::uint64_t ConnectionTable::evicted() const {
  const std::lock_guard lock{mutex_};
  return evicted_;
}

}  // namespace graced
