// The site over HTTP, by libmicrohttpd: one thread polls all connections, and a request that needs a look waits
// for it without one.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "exporter/connection_table.h"
#include "exporter/desk.h"
#include "exporter/event_source.h"
#include "exporter/event_streams.h"
#include "exporter/site.h"
#include "linux/base/fd.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

namespace graced {

class HttpServer {
 public:
  // looking: see Desk. events: those that are told to who reads them; not served yet, and closed in the end.
  HttpServer(Desk::Looking looking, EventSource& events);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Serves on these listening sockets from now on. Once. Throws std::runtime_error.
  void serve(std::vector<Fd> listening);

 private:
  struct Call;   // a request under way
  struct Calls;  // what the library calls, from C
  struct ResponseEnd {
    void operator()(MHD_Response* response) const;
  };
  using Response = std::unique_ptr<MHD_Response, ResponseEnd>;

  int handle(MHD_Connection* connection, Call& call);
  int answer(MHD_Connection* connection, const Call& call);
  int answer_events(MHD_Connection* connection, const Call& call);
  void wait_for_look(MHD_Connection* connection, Call& call);
  MHD_Response* written(const Call& call, unsigned& status);
  Response write(const Reply& reply) const;
  ServerNumbers numbers() const;
  bool tick();  // about every second while anybody is connected

  std::vector<MHD_Daemon*> daemons_;
  EventSource& events_;
  ConnectionTable connections_{ConnectionLimits{}};
  EventStreams readers_;
  std::atomic<std::uint64_t> requests_ = 0;
  unsigned ticks_ = 0;          // while anybody reads events
  unsigned ticks_without_ = 0;  // while nobody does
  struct Written {
    Response response;
    unsigned status;
  };
  std::mutex writing_;
  LookPointer written_for_;
  std::map<std::string, Written> written_;  // answers made of that look
  Desk desk_;                               // last: its thread uses the others
};

}  // namespace graced
