/* The C form, compiled as C11: each function once, and how errors come back. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <graced/child.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(what)                                              \
  do {                                                           \
    if (!(what)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
      ++failures;                                                \
    }                                                            \
  } while (0)

static int readable(int fd) {
  struct pollfd event = {fd, POLLIN, 0};
  return poll(&event, 1, 0) == 1;
}

/* This process becomes one that was handed fd under the name "http". */
static void be_handed(int fd) {
  char pid[32];
  snprintf(pid, sizeof pid, "%ld", (long)getpid());
  if (fd != 3) {
    dup2(fd, 3);
    close(fd);
  }
  setenv("LISTEN_PID", pid, 1);
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_FDNAMES", "http", 1);
}

static void sockets(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int passed = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(passed, (struct sockaddr*)&address, sizeof(sa_family_t)) == 0 && listen(passed, 1) == 0);
  be_handed(passed);

  CHECK(graced_listen("http", "nonsense") == -EINVAL);
  CHECK(strstr(graced_error(), "nonsense") != NULL);
  CHECK(graced_listen(NULL, "80") == -EINVAL);
  CHECK(graced_take_inherited("mail") == -ENOENT);
  CHECK(graced_take_inherited_kind("http", GRACED_DATAGRAM) == -ENOENT);
  CHECK(graced_take_inherited_kind(NULL, GRACED_DATAGRAM) == -ENOENT);
  CHECK(graced_listen("http", "127.0.0.1:8080") == 3);
  CHECK(graced_socket_inherited(3) == 1 && strcmp(graced_socket_name(3), "http") == 0);
  CHECK(graced_socket_kind(3) == GRACED_STREAM && graced_socket_family(3) == AF_UNIX);
  CHECK(graced_socket_set_nonblocking(3) == 0 && (fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
  CHECK(graced_socket_inherited(0) == 0 && strcmp(graced_socket_name(0), "") == 0);
  CHECK(graced_socket_kind(-1) == -EBADF && graced_socket_family(-1) == -EBADF);
  CHECK(graced_socket_set_nonblocking(-1) == -EBADF);
  CHECK(graced_listen("http", "127.0.0.1:8080") == -ENOENT);
  CHECK(strstr(graced_error(), "'http'") != NULL);
  CHECK(graced_take_inherited(NULL) == -ENOENT);
  close(3);
}

static void words(void) {
  CHECK(graced_ready() == 0);
  CHECK(graced_status("alone") == 0);
  CHECK(graced_status(NULL) == -EINVAL);

  struct sockaddr_un address = {.sun_family = AF_UNIX};
  socklen_t length = sizeof address;
  const int supervisor = socket(AF_UNIX, SOCK_DGRAM, 0);
  CHECK(bind(supervisor, (struct sockaddr*)&address, sizeof(sa_family_t)) == 0);
  CHECK(getsockname(supervisor, (struct sockaddr*)&address, &length) == 0);
  address.sun_path[0] = '@';
  setenv("NOTIFY_SOCKET", address.sun_path, 1);

  char heard[256] = "";
  ssize_t n = 0;
#define SAYS(call, text)                                       \
  CHECK((call) == 1);                                          \
  n = recv(supervisor, heard, sizeof heard - 1, MSG_DONTWAIT); \
  CHECK(n > 0 && (size_t)n == strlen(text) && memcmp(heard, text, (size_t)n) == 0)
  SAYS(graced_ready(), "READY=1");
  SAYS(graced_stopping(), "STOPPING=1");
  SAYS(graced_status("busy"), "STATUS=busy");
  SAYS(graced_extend_timeout(5000000), "EXTEND_TIMEOUT_USEC=5000000");
  SAYS(graced_extend_timeout(UINT64_MAX), "EXTEND_TIMEOUT_USEC=9223372036854775807");
  SAYS(graced_notify("WATCHDOG=1"), "WATCHDOG=1");
  CHECK(graced_barrier(0) == -ETIMEDOUT);

  close(supervisor);
  CHECK(graced_ready() == -ECONNREFUSED);
  CHECK(strlen(graced_error()) > 0);
}

static void draining(void) {
  CHECK(graced_drain_requested() == -EINVAL);
  CHECK(graced_drain_wait(0) == -EINVAL);
  const int signals[] = {SIGTERM, SIGUSR1};
  const int fd = graced_drain_start(signals, 2);
  CHECK(fd >= 0);
  CHECK(graced_drain_start(NULL, 0) == -EALREADY);
  CHECK(!readable(fd));
  CHECK(graced_drain_requested() == 0);
  CHECK(graced_drain_wait(0) == 0);
  CHECK(graced_drain_signal() == 0);
  raise(SIGUSR1);
  CHECK(readable(fd));
  CHECK(graced_drain_requested() == 1);
  CHECK(graced_drain_signal() == SIGUSR1);
  CHECK(graced_drain_request() == 0);
  CHECK(graced_drain_wait(-1) == 1);
  CHECK(graced_drain_limit() == -ENOENT);
  setenv("GRACED_DRAIN_TIMEOUT", "2", 1);
  CHECK(graced_drain_limit() == 1900);
}

static void keep_alive(void) { /* after draining(): it is time to leave */
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(graced_next_request(ends[0], 1000, 0) == 0);
  CHECK(graced_is_last_answer(ends[0]) == 1);
  CHECK(write(ends[1], "x", 1) == 1);
  CHECK(graced_next_request(ends[0], 0, 0) == 1);
  CHECK(graced_is_last_answer(ends[0]) == 0);
  CHECK(graced_begin_finish(ends[0]) == 1);
  CHECK(graced_is_finished(ends[0]) == 0);
  CHECK(!readable(ends[0])); /* what the client has sent is thrown away */
  close(ends[1]);
  CHECK(graced_is_finished(ends[0]) == 1);
  graced_finish(ends[0], 0);
  CHECK(fcntl(ends[0], F_GETFD) == -1);
}

static void in_flight(void) {
  graced_in_flight* requests = graced_in_flight_new();
  CHECK(requests != NULL);
  CHECK(graced_in_flight_begin(requests) == 1);
  CHECK(graced_in_flight_count(requests) == 1);
  CHECK(graced_in_flight_shutdown(requests, 0) == 0);
  CHECK(graced_in_flight_begin(requests) == 0);
  CHECK(!readable(graced_in_flight_idle_fd(requests)));
  graced_in_flight_end(requests);
  CHECK(readable(graced_in_flight_idle_fd(requests)));
  CHECK(graced_in_flight_shutdown(requests, -1) == 1);
  graced_in_flight_end(requests);
  CHECK(graced_in_flight_count(requests) == 0);
  graced_in_flight_close(requests);
  graced_in_flight_free(requests);
}

static void identity(void) {
  CHECK(graced_generation() == 0 && graced_worker_number() == 0 && strcmp(graced_name(), "") == 0);
  setenv("GRACED_GENERATION", "7", 1);
  setenv("GRACED_WORKER", "2", 1);
  setenv("GRACED_NAME", "shop", 1);
  CHECK(graced_generation() == 7 && graced_worker_number() == 2 && strcmp(graced_name(), "shop") == 0);
}

int main(void) {
  unsetenv("NOTIFY_SOCKET");
  sockets();
  words();
  CHECK(graced_is_last_answer(0) == -EINVAL);
  draining();
  keep_alive();
  in_flight();
  identity();
  return failures == 0 ? 0 : 1;
}
