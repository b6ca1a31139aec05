// Clients that read events: each waits without a thread until there is something for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "exporter/event_feed.h"

struct MHD_Connection;
struct MHD_Response;

namespace graced {

class EventStreams {
 public:
  static constexpr std::size_t most = 64;

  // nullptr: there are too many. The answer is the caller's to destroy. from: the number of the first event.
  MHD_Response* answer(MHD_Connection* connection, std::uint64_t from);

  void begin() { feed_.begin(); }                           // see EventFeed
  void add(std::string_view event, std::string_view json);  // for all of them
  void beat();   // a comment for those who wait, by which clients that have gone are noticed
  void close();  // all answers end

  std::size_t count() const;
  std::uint64_t next() const { return feed_.next(); }

 private:
  struct Reader;
  struct Calls;  // what the library calls, from C
  long read(Reader& reader, char* into, std::size_t room);
  void wake_all();

  EventFeed feed_;
  mutable std::mutex mutex_;
  std::set<Reader*> readers_;
  bool closing_ = false;
};

}  // namespace graced
