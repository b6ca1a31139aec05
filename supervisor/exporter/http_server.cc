// What the library calls goes through Calls: nothing throws through C.
#include "exporter/http_server.h"

#include <fmt/format.h>
#include <microhttpd.h>

#include <array>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "json/event_json.h"
#include "linux/base/clock.h"

namespace graced {
namespace {

constexpr unsigned most_connections = 1024;  // more wait in the queue of the kernel
constexpr std::size_t memory = 16UL * 1024;  // bytes, of a connection: its headers have to fit
constexpr unsigned silence = 60;             // seconds: then a connection is closed
constexpr Duration between_looks = 250ms;
constexpr unsigned ticks_to_beat = 5;
constexpr unsigned ticks_to_go_on = 60;  // instances are followed, for a reader that comes back
constexpr std::size_t most_written = 64;

constexpr const char* page_policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr const char* other_policy = "default-src 'none'; frame-ancestors 'none'";

std::string header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value != nullptr ? value : "";
}

}  // namespace

struct HttpServer::Call {
  HttpRequest request;
  enum class Stage : std::uint8_t { begun, waits, looked } stage = Stage::begun;
  LookPointer look{};
};

struct HttpServer::Calls {
  static HttpServer& server(void* self) { return *static_cast<HttpServer*>(self); }

  static MHD_Result ask(void* self, MHD_Connection* connection, const char* url, const char* method,
                        const char*, const char*, std::size_t* body, void** context) noexcept {
    try {
      if (*context == nullptr) {
        *context = new Call{.request = {.method = method, .path = url, .accept = header(connection, "Accept")}};
        return MHD_YES;
      }
      if (*body > 0) {  // nobody has a use for it
        *body = 0;
        return MHD_YES;
      }
      return server(self).handle(connection, *static_cast<Call*>(*context)) != 0 ? MHD_YES : MHD_NO;
    } catch (const std::exception&) { return MHD_NO; }  // out of memory: the connection is closed
  }

  static void answered(void* self, MHD_Connection* connection, void** context,
                       MHD_RequestTerminationCode) noexcept {
    delete static_cast<Call*>(std::exchange(*context, nullptr));
    server(self).connections_.answered(connection, now());
  }

  static void connection(void* self, MHD_Connection* connection, void**,
                         MHD_ConnectionNotificationCode what) noexcept {
    HttpServer& s = server(self);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) return s.connections_.ended(connection);
    const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == nullptr) return;
    try {
      s.connections_.began(connection, info->connect_fd, now());
      s.desk_.keep([&s] { return s.tick(); }, 1s);
    } catch (const std::exception&) {}  // out of memory: this one has no limit
  }
};

void HttpServer::ResponseEnd::operator()(MHD_Response* response) const {
  MHD_destroy_response(response);
}

HttpServer::HttpServer(Desk::Looking looking, EventSource& events)
    : events_(events), desk_(std::move(looking), between_looks) {
  events_.serve(
      {.begins = [this] { readers_.begin(); },
       .told = [this](const InstanceEvent& event) { readers_.add(word_of(event), event_json(event)); }});
}

// Nobody may be suspended when the library ends.
HttpServer::~HttpServer() {
  desk_.close();
  events_.close();
  readers_.close();
  for (MHD_Daemon* daemon : daemons_) MHD_stop_daemon(daemon);
}

void HttpServer::serve(std::vector<Fd> listening) {
  for (Fd& socket : listening) {
    MHD_Daemon* daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME, 0, nullptr, nullptr,
                         &Calls::ask, this, MHD_OPTION_LISTEN_SOCKET, socket.get(), MHD_OPTION_CONNECTION_LIMIT,
                         most_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
                         MHD_OPTION_CONNECTION_TIMEOUT, silence, MHD_OPTION_NOTIFY_COMPLETED, &Calls::answered,
                         this, MHD_OPTION_NOTIFY_CONNECTION, &Calls::connection, this, MHD_OPTION_END);
    if (daemon == nullptr) throw std::runtime_error("the HTTP server could not be started");
    static_cast<void>(socket.release());
    daemons_.push_back(daemon);
  }
}

int HttpServer::handle(MHD_Connection* connection, Call& call) {
  if (call.stage == Call::Stage::begun) {
    connections_.asked(connection, now());
    ++requests_;
    const std::string& method = call.request.method;
    if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
      const Response response =
          write({.status = MHD_HTTP_METHOD_NOT_ALLOWED, .body = "there is nothing to be changed here\n"});
      MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
      return MHD_queue_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response.get());
    }
    if (Site::need(call.request) == Site::Need::look) {
      wait_for_look(connection, call);
      return MHD_YES;
    }
  }
  return answer(connection, call);
}

// Resumed by the desk's thread, after which this is called again.
void HttpServer::wait_for_look(MHD_Connection* connection, Call& call) {
  call.stage = Call::Stage::waits;
  MHD_suspend_connection(connection);
  desk_.ask([connection, &call](const LookPointer& look) {
    call.look = look;
    call.stage = Call::Stage::looked;
    MHD_resume_connection(connection);
  });
}

int HttpServer::answer(MHD_Connection* connection, const Call& call) {
  if (Site::need(call.request) == Site::Need::events) return answer_events(connection, call);
  connections_.answers(connection, now());
  unsigned status = 0;
  const std::lock_guard lock{writing_};
  return MHD_queue_response(connection, status, written(call, status));
}

// Instances are followed from before the answer begins, so that nothing that happens after that is missing.
int HttpServer::answer_events(MHD_Connection* connection, const Call&) {
  events_.want(true);
  const std::string last = header(connection, "Last-Event-ID");
  const std::uint64_t from =
      where_to_begin(last.empty() ? std::nullopt : std::optional<std::string_view>(last), readers_.next());
  const Response response{readers_.answer(connection, from)};
  if (!response) {
    const Response full =
        write({.status = MHD_HTTP_SERVICE_UNAVAILABLE, .body = "too many read events already\n"});
    return MHD_queue_response(connection, MHD_HTTP_SERVICE_UNAVAILABLE, full.get());
  }
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
  MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response.get(), "X-Content-Type-Options", "nosniff");
  connections_.streams(connection, now());
  return MHD_queue_response(connection, MHD_HTTP_OK, response.get());
}

// Once for all that ask for the same of the same look: who reads slowly holds no copy of its own.
MHD_Response* HttpServer::written(const Call& call, unsigned& status) {
  if (written_for_ != call.look || written_.size() >= most_written) {
    written_.clear();
    written_for_ = call.look;
  }
  Written& w = written_[Site::key(call.request)];
  if (!w.response) {
    const Reply reply = Site::answer(call.request, call.look.get(), numbers());
    w = {write(reply), reply.status};
  }
  status = w.status;
  return w.response.get();
}

HttpServer::Response HttpServer::write(const Reply& reply) const {
  Response response{MHD_create_response_from_buffer(reply.body.size(), const_cast<char*>(reply.body.data()),
                                                    MHD_RESPMEM_MUST_COPY)};
  if (!response) throw std::bad_alloc();
  const std::array<std::pair<const char*, const char*>, 5> headers{{
      {MHD_HTTP_HEADER_CONTENT_TYPE, reply.type.c_str()},
      {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Content-Security-Policy", reply.whole_page ? page_policy : other_policy},
  }};
  for (const auto& [name, value] : headers) MHD_add_response_header(response.get(), name, value);
  return response;
}

ServerNumbers HttpServer::numbers() const {
  return {.connections = connections_.count(),
          .event_readers = readers_.count(),
          .requests = requests_,
          .evicted = connections_.evicted()};
}

bool HttpServer::tick() {
  connections_.sweep(now());
  const bool read = readers_.count() > 0;
  if (read) events_.want(true);  // one may have come just when it ended
  if (read && ++ticks_ % ticks_to_beat == 0) readers_.beat();
  if (!read && ++ticks_without_ > ticks_to_go_on) events_.want(false);
  if (read) ticks_without_ = 0;
  return connections_.count() > 0 || ticks_without_ <= ticks_to_go_on;
}

}  // namespace graced
