// The smallest worker that keeps every promise a worker makes: sockets by LISTEN_FDS, READY=1, a
// drain on SIGTERM that answers all it has accepted. Linked statically, it starts in well under a
// millisecond, so that what the benchmark sees is the supervisor's own time.
// BENCH_BOOT_MS in its environment makes it take that long before READY=1, as real servers do.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { first_fd = 3, most_fds = 4096, linger_ms = 2000 };

static char open_connection[most_fds];
static char said_goodbye[most_fds];
static int connections;
static int draining;
static int epoll;

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) _exit(1);
}

static void say_ready(void) {
  const char* path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (path == NULL || strlen(path) >= sizeof to.sun_path) return;
  strcpy(to.sun_path, path);
  if (path[0] == '@') to.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sendto(fd, "READY=1", 7, 0, (struct sockaddr*)&to,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0) {
    perror("worker: READY=1");
    _exit(1);
  }
  close(fd);
}

static void hang_up(int fd) {
  close(fd);
  open_connection[fd] = said_goodbye[fd] = 0;
  --connections;
}

// Requests are so short that they come whole; one that does not is waited for at its last byte.
static void serve(int fd) {
  char request[4096];
  const ssize_t n = recv(fd, request, sizeof request, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return hang_up(fd);
  if (n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0) return;

  const int last = draining || memmem(request, (size_t)n, "Connection: close", 17) != NULL;
  const char* generation = getenv("GRACED_GENERATION");
  char body[64], answer[256];
  const int length =
      snprintf(body, sizeof body, "pid %d generation %s\n", getpid(), generation ? generation : "0");
  const int total = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", length,
                             last ? "Connection: close\r\n" : "", body);
  if (send(fd, answer, (size_t)total, MSG_NOSIGNAL) != total || last) hang_up(fd);
}

// Closes our side and waits for the other, as a close with a request unread would reset. The second
// time nothing is waited for.
static void say_goodbye(int fd) {
  if (said_goodbye[fd]) return hang_up(fd);
  said_goodbye[fd] = 1;
  shutdown(fd, SHUT_WR);
}

static void drain(int sockets) {
  draining = 1;
  for (int fd = first_fd; fd < first_fd + sockets; ++fd) {
    // Others hold the socket too, so closing it here does not take it out of epoll by itself.
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
  }
}

int main(void) {
  const char* count = getenv("LISTEN_FDS");
  const char* pid = getenv("LISTEN_PID");
  const int sockets = count && pid && atoi(pid) == getpid() ? atoi(count) : 0;
  if (sockets <= 0) {
    fputs("worker: no socket was passed (LISTEN_FDS, LISTEN_PID)\n", stderr);
    return 1;
  }
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  const int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(signals);
  for (int fd = first_fd; fd < first_fd + sockets; ++fd) {
    // The socket is everybody's: where another worker was faster, accept must not wait. The flag is
    // everybody's too, and every generation wants the same.
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    watch(fd);
  }

  if (getenv("BENCH_BOOT_MS") != NULL) {
    const long ms = atol(getenv("BENCH_BOOT_MS"));
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
  }
  say_ready();

  while (!draining || connections > 0) {
    struct epoll_event events[64];
    const int n = epoll_wait(epoll, events, 64, draining ? linger_ms : -1);
    if (n == 0) {  // quiet: nobody is going to use the idle ones any more
      for (int fd = 0; fd < most_fds; ++fd) {
        if (open_connection[fd]) say_goodbye(fd);
      }
    }
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == signals) {
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) > 0 && !draining) drain(sockets);
      } else if (fd >= first_fd && fd < first_fd + sockets) {
        const int connection = draining ? -1 : accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0) continue;
        if (connection >= most_fds) {
          close(connection);
          continue;
        }
        open_connection[connection] = 1;
        ++connections;
        watch(connection);
      } else {
        serve(fd);
      }
    }
  }
  return 0;
}
