/* The plain C form of child.hpp, for C11 and for whatever can call C. What each thing means, which
 * rules hold for shared sockets, signals and threads, and where the protocols are written down, is
 * said there and in graced-child(3); here is only what differs: how errors come back, and who frees.
 *
 *   int drain = graced_drain_start(NULL, 0);
 *   int http = graced_listen("http", "127.0.0.1:8080");
 *   if (drain < 0 || http < 0) { fprintf(stderr, "%s\n", graced_error()); return 1; }
 *   graced_ready();
 *   … poll http and drain; once drain is readable: graced_stopping(), finish, return 0 …
 *
 * A negative result is an errno with its sign turned, and graced_error() says it in a line. */
#ifndef GRACED_CHILD_H
#define GRACED_CHILD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the last negative result in this thread was about. Valid until the next one. */
const char* graced_error(void);

/* ---- sockets: descriptors are the caller's to close, and CLOEXEC ---- */

/* The inherited socket for `name`, or one bound here to `address` if none was passed. */
int graced_listen(const char* name, const char* address);

/* The first inherited socket of that name that nobody took yet; name NULL: of any name.
 * -ENOENT: there is none. */
int graced_take_inherited(const char* name);

enum graced_kind {
  GRACED_STREAM,    /* tcp, unix: listening */
  GRACED_DATAGRAM,  /* udp, unix-dgram: bound */
  GRACED_SEQPACKET, /* unix-seqpacket: listening */
  GRACED_OTHER      /* no socket of these types: a FIFO, a file */
};

/* The same, but of this kind. */
int graced_take_inherited_kind(const char* name, enum graced_kind kind);

/* About a descriptor that one of these functions gave, as long as it is open. */
int graced_socket_inherited(int fd);       /* 1 passed to this process, 0 bound by graced_listen() */
const char* graced_socket_name(int fd);    /* from LISTEN_FDNAMES, for ever valid; "": it was not passed */
int graced_socket_kind(int fd);            /* enum graced_kind */
int graced_socket_family(int fd);          /* AF_INET, AF_INET6, AF_UNIX; 0: no socket */
int graced_socket_set_nonblocking(int fd); /* 0; for all who share it: Listener::set_nonblocking() */

/* ---- words to the supervisor: 1 told, 0 nobody to tell, negative: it could not be told ---- */

int graced_ready(void);
int graced_stopping(void);
int graced_status(const char* text);
int graced_extend_timeout(uint64_t microseconds_from_now);
int graced_barrier(int limit_ms); /* -ETIMEDOUT: the limit passed; a negative limit means for ever */
int graced_notify(const char* assignments);

/* ---- hearing that it is time to leave ---- */

/* Handles these signals, SIGTERM alone if count is 0, from now to the end of the process. Returns a
 * descriptor that becomes readable with the first of them and stays so: poll it, never read or close
 * it. -EALREADY: it was called before, and stays as it was. */
int graced_drain_start(const int* signals, size_t count);

/* All of these need graced_drain_start() first; -EINVAL otherwise. */
int graced_drain_requested(void);    /* 1 yes, 0 no */
int graced_drain_signal(void);       /* the first one that came, 0: none */
int graced_drain_request(void);      /* as if one had come; 0 */
int graced_drain_wait(int limit_ms); /* 1 requested, 0 the limit passed; negative limit: for ever */

/* Milliseconds from the drain signal to the kill, less a little: for graced_in_flight_shutdown().
 * -ENOENT, which means for ever there: none is known. */
int graced_drain_limit(void);

/* ---- leaving without dropping anything ---- */

typedef struct graced_in_flight graced_in_flight;

graced_in_flight* graced_in_flight_new(void); /* NULL: see graced_error(); else the caller's to free */
void graced_in_flight_free(graced_in_flight* requests); /* nothing may be in flight any more */

/* An end too many changes nothing where none is left. */
int graced_in_flight_begin(graced_in_flight* requests); /* 1 counted, 0 closed: turn it away */
void graced_in_flight_end(graced_in_flight* requests);  /* once for every begin that gave 1 */
void graced_in_flight_close(graced_in_flight* requests);

/* Closes, then waits: 1 all have ended, 0 the limit passed; a negative limit means for ever. */
int graced_in_flight_shutdown(graced_in_flight* requests, int limit_ms);
size_t graced_in_flight_count(graced_in_flight* requests);
int graced_in_flight_idle_fd(graced_in_flight* requests); /* borrowed */

/* ---- connections that a client may use again, see child.hpp ---- */

/* 1 something to read, 0 nobody asks any more; they need graced_drain_start() first, -EINVAL otherwise. */
int graced_next_request(int connection, int keep_alive_ms, int linger_ms);
int graced_is_last_answer(int connection);        /* 1 yes: say Connection: close; 0 no */
void graced_finish(int connection, int limit_ms); /* takes the descriptor */

/* For event loops, without waiting: 1 begun, 0 the connection is gone; then, when there is something to read, 1
 * close it now, 0 not yet. */
int graced_begin_finish(int connection);
int graced_is_finished(int connection);

/* ---- who am I ---- */

uint64_t graced_generation(void); /* from 1; 0: not a worker of graced */
unsigned graced_worker_number(void);
const char* graced_name(void); /* "" without graced; as long-lived as getenv(3)'s */

#ifdef __cplusplus
}
#endif

#endif
