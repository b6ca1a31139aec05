// The C form: no exception leaves, each becomes a negative errno and a line for graced_error().
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <system_error>

#include "descriptor.h"
#include "graced/child.h"
#include "graced/child.hpp"
#include "passed.h"

namespace child = graced::child;

static_assert(static_cast<int>(child::Kind::stream) == GRACED_STREAM &&
              static_cast<int>(child::Kind::datagram) == GRACED_DATAGRAM &&
              static_cast<int>(child::Kind::seqpacket) == GRACED_SEQPACKET &&
              static_cast<int>(child::Kind::other) == GRACED_OTHER);

struct graced_in_flight {
  child::InFlight requests;
};

namespace {

thread_local std::string last_error;
std::mutex drain_mutex;
std::atomic<child::DrainToken*> drain = nullptr;  // once there, it stays to the end of the process

int fail(int code, const char* what) noexcept {
  try {
    last_error = what;
  } catch (const std::bad_alloc&) { last_error.clear(); }
  return -code;
}

template <class Body>
int guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::system_error& e) {
    return fail(e.code().value(), e.what());
  } catch (const std::bad_alloc&) { return fail(ENOMEM, "out of memory"); } catch (const std::exception& e) {
    return fail(EINVAL, e.what());
  }
}

// errno is 0 if there was nobody to tell.
int told(bool yes) noexcept {
  if (yes) return 1;
  const int code = errno;
  return code == 0 ? 0 : guarded([&]() -> int {
    throw std::system_error(code, std::generic_category(), "tell the supervisor");
  });
}

child::DrainToken& started() {
  child::DrainToken* const token = drain;
  if (token == nullptr) throw std::invalid_argument("graced_drain_start was not called");
  return *token;
}

}  // namespace

const char* graced_error() {
  return last_error.c_str();
}

int graced_listen(const char* name, const char* address) {
  if (name == nullptr || address == nullptr) return fail(EINVAL, "graced_listen needs a name and an address");
  return guarded([&] { return child::listen(name, address).release(); });
}

int graced_take_inherited(const char* name) {
  return guarded([&] {
    auto found = name == nullptr ? child::take_next_inherited() : child::take_inherited(name);
    if (found) return found->release();
    return fail(ENOENT,
                name == nullptr ? "no inherited socket is left" : "no inherited socket of that name is left");
  });
}

int graced_take_inherited_kind(const char* name, graced_kind kind) {
  return guarded([&] {
    auto found = name == nullptr ? child::take_next_inherited(static_cast<child::Kind>(kind))
                                 : child::take_inherited(name, static_cast<child::Kind>(kind));
    return found ? found->release() : fail(ENOENT, "no inherited socket of that kind is left");
  });
}

int graced_socket_inherited(int fd) {
  return guarded([&] { return child::name_of_passed(fd) != nullptr ? 1 : 0; });
}

const char* graced_socket_name(int fd) {
  const std::string* name = nullptr;
  guarded([&] { return name = child::name_of_passed(fd), 0; });
  return name == nullptr ? "" : name->c_str();
}

int graced_socket_kind(int fd) {
  return guarded([&] { return static_cast<int>(child::kind_of(fd)); });
}

int graced_socket_family(int fd) {
  return guarded([&] { return child::family_of(fd); });
}

int graced_socket_set_nonblocking(int fd) {
  return guarded([&] { return child::set_nonblocking(fd, "descriptor " + std::to_string(fd)), 0; });
}

int graced_ready() {
  return told(child::ready());
}

int graced_stopping() {
  return told(child::stopping());
}

int graced_status(const char* text) {
  return text == nullptr ? fail(EINVAL, "no text for the status") : told(child::status(text));
}

int graced_extend_timeout(uint64_t microseconds_from_now) {
  const auto longest = static_cast<uint64_t>(std::chrono::microseconds::max().count());
  return told(child::extend_timeout(std::chrono::microseconds(std::min(microseconds_from_now, longest))));
}

int graced_barrier(int limit_ms) {
  return told(child::barrier(std::chrono::milliseconds(limit_ms)));
}

int graced_notify(const char* assignments) {
  return assignments == nullptr ? fail(EINVAL, "no words for the supervisor")
                                : told(child::notify(assignments));
}

int graced_drain_start(const int* signals, size_t count) {
  return guarded([&] {
    const std::lock_guard lock(drain_mutex);
    if (drain != nullptr) return fail(EALREADY, "graced_drain_start was called before");
    std::vector<int> which(signals, signals + count);
    if (which.empty()) which.push_back(SIGTERM);
    drain = new child::DrainToken(which);
    return drain.load()->fd();
  });
}

int graced_drain_requested() {
  return guarded([] { return started().requested() ? 1 : 0; });
}

int graced_drain_signal() {
  return guarded([] { return started().signal(); });
}

int graced_drain_request() {
  return guarded([] { return started().request(), 0; });
}

int graced_drain_wait(int limit_ms) {
  return guarded([&] {
    if (limit_ms >= 0) return started().wait_for(std::chrono::milliseconds(limit_ms)) ? 1 : 0;
    started().wait();
    return 1;
  });
}

int graced_drain_limit() {
  const auto limit = child::drain_limit();
  if (!limit) return fail(ENOENT, "how long a drain may take is not known");
  return static_cast<int>(std::min<std::int64_t>(limit->count(), std::numeric_limits<int>::max()));
}

graced_in_flight* graced_in_flight_new() {
  graced_in_flight* made = nullptr;
  guarded([&] { return made = new graced_in_flight, 0; });
  return made;
}

void graced_in_flight_free(graced_in_flight* requests) {
  delete requests;
}

int graced_in_flight_begin(graced_in_flight* requests) {
  return requests->requests.enter() ? 1 : 0;
}

void graced_in_flight_end(graced_in_flight* requests) {
  requests->requests.leave();
}

void graced_in_flight_close(graced_in_flight* requests) {
  requests->requests.close();
}

int graced_in_flight_shutdown(graced_in_flight* requests, int limit_ms) {
  return guarded([&] {
    const auto limit = std::chrono::milliseconds(limit_ms);
    return requests->requests.shutdown(limit) == child::Outcome::idle ? 1 : 0;
  });
}

size_t graced_in_flight_count(graced_in_flight* requests) {
  return requests->requests.count();
}

int graced_in_flight_idle_fd(graced_in_flight* requests) {
  return requests->requests.idle_fd();
}

int graced_next_request(int connection, int keep_alive_ms, int linger_ms) {
  using std::chrono::milliseconds;
  return guarded([&] {
    return child::next_request(connection, started(), milliseconds(keep_alive_ms), milliseconds(linger_ms)) ? 1
                                                                                                            : 0;
  });
}

int graced_is_last_answer(int connection) {
  return guarded([&] { return child::is_last_answer(connection, started()) ? 1 : 0; });
}

void graced_finish(int connection, int limit_ms) {
  child::finish(connection, std::chrono::milliseconds(limit_ms));
}

int graced_begin_finish(int connection) {
  return child::begin_finish(connection) ? 1 : 0;
}

int graced_is_finished(int connection) {
  return child::is_finished(connection) ? 1 : 0;
}

uint64_t graced_generation() {
  return child::generation();
}

unsigned graced_worker_number() {
  return child::worker_number();
}

const char* graced_name() {
  const char* const text = std::getenv("GRACED_NAME");
  return text == nullptr ? "" : text;
}
