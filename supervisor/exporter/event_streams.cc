// A reader that has nothing to read is suspended; whoever adds an event resumes it.
#include "exporter/event_streams.h"

#include <microhttpd.h>

#include <algorithm>
#include <memory>
#include <new>

namespace graced {
namespace {

constexpr std::size_t block = 4096;  // bytes

}  // namespace

struct EventStreams::Reader {
  EventStreams& owner;
  MHD_Connection* connection;
  std::uint64_t next;
  std::string text = "retry: 2000\n: what happens from now on\n\n";
  bool waits = false;  // suspended
  bool beat = false;
};

struct EventStreams::Calls {
  static ssize_t read(void* reader, std::uint64_t, char* into, std::size_t room) noexcept {
    auto& r = *static_cast<Reader*>(reader);
    try {
      return r.owner.read(r, into, room);
    } catch (const std::bad_alloc&) { return MHD_CONTENT_READER_END_WITH_ERROR; }
  }

  static void end(void* reader) noexcept {
    const std::unique_ptr<Reader> r{static_cast<Reader*>(reader)};
    const std::lock_guard lock{r->owner.mutex_};
    r->owner.readers_.erase(r.get());
  }
};

MHD_Response* EventStreams::answer(MHD_Connection* connection, std::uint64_t from) {
  const std::lock_guard lock{mutex_};
  if (readers_.size() >= most || closing_) return nullptr;
  auto reader = std::make_unique<Reader>(Reader{.owner = *this, .connection = connection, .next = from});
  MHD_Response* response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, &Calls::read, reader.get(), &Calls::end);
  if (response != nullptr) readers_.insert(reader.release());
  return response;
}

long EventStreams::read(Reader& reader, char* into, std::size_t room) {
  const std::lock_guard lock{mutex_};
  if (reader.text.empty()) reader.text = feed_.from(reader.next);
  if (reader.text.empty() && reader.beat) reader.text = ":\n\n";
  reader.beat = false;
  if (!reader.text.empty()) {
    const std::size_t some = std::min(room, reader.text.size());
    std::copy_n(reader.text.data(), some, into);
    reader.text.erase(0, some);
    return static_cast<long>(some);
  }
  if (closing_) return MHD_CONTENT_READER_END_OF_STREAM;
  reader.waits = true;
  MHD_suspend_connection(reader.connection);
  return 0;
}

void EventStreams::add(std::string_view event, std::string_view json) {
  feed_.add(event, json);
  const std::lock_guard lock{mutex_};
  wake_all();
}

void EventStreams::beat() {
  const std::lock_guard lock{mutex_};
  for (Reader* reader : readers_) reader->beat = true;
  wake_all();
}

void EventStreams::close() {
  const std::lock_guard lock{mutex_};
  closing_ = true;
  wake_all();
}

void EventStreams::wake_all() {
  for (Reader* reader : readers_) {
    if (!reader->waits) continue;
    reader->waits = false;
    MHD_resume_connection(reader->connection);
  }
}

std::size_t EventStreams::count() const {
  const std::lock_guard lock{mutex_};
  return readers_.size();
}

}  // namespace graced
