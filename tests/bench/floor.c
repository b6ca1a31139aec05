// The least a supervisor can do, to compare graced with: bind, start a worker, wait for its READY=1;
// on SIGHUP start another, wait for its READY=1, tell the old one to leave, reap. Nothing else: no
// check of who said READY, no timeouts, no restart, no status, no way back.
//
// usage: floor [-l PORT]… [-w WORKERS] COMMAND [ARG…]        (127.0.0.1 only)
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most_sockets = 1024, most_workers = 1024, first_passed_fd = 3 };

extern char** environ;

static int sockets[most_sockets], socket_count;
static pid_t workers[most_workers];
static int worker_count = 1;
static int notify;
static char notify_path[64], listen_fds[32], listen_pid[32] = "LISTEN_PID=", generation_text[48];
static char** worker_env;
static sigset_t worker_mask;
static int generation;

static void must(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

// Above all the numbers that workers get, so that dup2 cannot overwrite one still to be passed.
static int moved_up(int fd) {
  const int up = fcntl(fd, F_DUPFD_CLOEXEC, first_passed_fd + most_sockets);
  must(up >= 0, "floor: descriptors");
  close(fd);
  return up;
}

static void listen_on(int port) {
  const int on = 1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "floor: socket");
  must(bind(fd, (struct sockaddr*)&address, sizeof address) == 0, "floor: bind");
  must(listen(fd, SOMAXCONN) == 0, "floor: listen");
  sockets[socket_count++] = moved_up(fd);
}

static void open_notify_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int length = snprintf(notify_path, sizeof notify_path, "NOTIFY_SOCKET=@floor-%d", getpid());
  const size_t name = (size_t)length - strlen("NOTIFY_SOCKET=");
  memcpy(address.sun_path, notify_path + strlen("NOTIFY_SOCKET="), name);
  address.sun_path[0] = '\0';
  notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  must(
      bind(notify, (struct sockaddr*)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name)) == 0,
      "floor: notify socket");
  notify = moved_up(notify);
}

static void prepare_environment(void) {
  int n = 0, kept = 0;
  while (environ[n] != NULL) ++n;
  worker_env = calloc((size_t)n + 5, sizeof *worker_env);
  for (int i = 0; i < n; ++i) {
    if (strncmp(environ[i], "LISTEN_", 7) != 0 && strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0) {
      worker_env[kept++] = environ[i];
    }
  }
  snprintf(listen_fds, sizeof listen_fds, "LISTEN_FDS=%d", socket_count);
  worker_env[kept++] = listen_fds;
  worker_env[kept++] = listen_pid;
  worker_env[kept++] = notify_path;
  worker_env[kept] = generation_text;
}

static pid_t start(char** command) {
  const pid_t pid = vfork();
  if (pid == 0) {
    char digits[16];
    int n = 0;
    for (pid_t rest = getpid(); rest > 0; rest /= 10) digits[n++] = (char)('0' + rest % 10);
    char* to = listen_pid + strlen("LISTEN_PID=");
    while (n > 0) *to++ = digits[--n];
    *to = '\0';
    for (int i = 0; i < socket_count; ++i) dup2(sockets[i], first_passed_fd + i);
    sigprocmask(SIG_SETMASK, &worker_mask, NULL);
    execve(command[0], command, worker_env);
    _exit(127);
  }
  must(pid > 0, "floor: vfork");
  return pid;
}

static void reap(void) {
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

static void start_generation(char** command) {
  char message[4096];
  snprintf(generation_text, sizeof generation_text, "GRACED_GENERATION=%d", ++generation);
  pid_t fresh[most_workers];
  for (int i = 0; i < worker_count; ++i) fresh[i] = start(command);
  for (int ready = 0; ready < worker_count;) {
    const ssize_t n = recv(notify, message, sizeof message - 1, 0);
    must(n >= 0 || errno == EINTR, "floor: notify");
    message[n > 0 ? n : 0] = '\0';
    if (strstr(message, "READY=1") != NULL) ++ready;
  }
  for (int i = 0; i < worker_count; ++i) {
    if (workers[i] > 0) kill(workers[i], SIGTERM);
    workers[i] = fresh[i];
  }
}

int main(int argc, char** argv) {
  sigset_t mine;
  sigemptyset(&mine);
  sigaddset(&mine, SIGHUP);
  sigaddset(&mine, SIGTERM);
  sigaddset(&mine, SIGINT);
  sigaddset(&mine, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mine, &worker_mask);

  for (int option; (option = getopt(argc, argv, "+l:w:")) != -1;) {
    if (option == 'l' && socket_count < most_sockets)
      listen_on(atoi(optarg));
    else if (option == 'w' && atoi(optarg) >= 1 && atoi(optarg) <= most_workers)
      worker_count = atoi(optarg);
    else
      return 2;
  }
  if (optind == argc) {
    fputs("usage: floor [-l PORT]... [-w WORKERS] COMMAND [ARG...]\n", stderr);
    return 2;
  }
  open_notify_socket();
  prepare_environment();
  start_generation(argv + optind);
  for (;;) {
    const int signo = sigwaitinfo(&mine, NULL);
    if (signo == SIGCHLD) {
      reap();
    } else if (signo == SIGHUP) {
      start_generation(argv + optind);
      reap();
    } else if (signo > 0) {
      for (int i = 0; i < worker_count; ++i) kill(workers[i], SIGTERM);
      while (wait(NULL) > 0) continue;
      return 0;
    }
  }
}
