// The connections of clients and how far each one is, so that those who are slow, or too many, can be closed:
// the library's own limits count connections and silence, and a client that sends a byte now and then has both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "core/time.h"

namespace graced {

struct ConnectionLimits {
  std::size_t asking = 512;          // more: the one that has waited longest is closed
  std::size_t answered = 128;        // that an answer is sent to; likewise
  Duration until_asked = 10s;        // from the beginning until a request is complete
  Duration until_next_asked = 2min;  // on a connection that had an answer already
  Duration until_read = 30s;         // an answer
};

class ConnectionTable {
 public:
  explicit ConnectionTable(ConnectionLimits limits) : limits_(limits) {}

  // connection: only its name; its socket, which is open until ended().
  void began(const void* connection, int socket, Instant now);
  void asked(const void* connection, Instant now);     // a request is complete
  void answers(const void* connection, Instant now);   // and an answer is sent
  void streams(const void* connection, Instant now);   // its answer has no end
  void answered(const void* connection, Instant now);  // it may ask again
  void ended(const void* connection);

  void sweep(Instant now);  // closes those whose time is up

  std::size_t count() const;
  std::uint64_t evicted() const;

 private:
  enum class Stage : std::uint8_t { asking, asking_again, waiting, answering, streaming, closing };
  struct Connection {
    int socket = -1;
    Stage stage = Stage::asking;
    Instant since{};
  };
  void to(const void* connection, Stage stage, Instant now);
  void close_oldest(bool answering, std::size_t most);
  void close(Connection& connection);

  ConnectionLimits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<const void*, Connection> all_;
  std::uint64_t evicted_ = 0;
};

}  // namespace graced
