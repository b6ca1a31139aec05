/* The library with libuv: the socket, the word, and leaving. Not a part of the build, it needs libuv1-dev:
 *
 *   cc libuv_server.c $(pkg-config --cflags --libs graced-child libuv) -o libuv_server
 *   graced run -l 8080 -- ./libuv_server
 *
 * It answers one request of each connection and closes with care: the sending side first, then reads until the
 * client closes. A real server limits how long that may take. */
#include <graced/child.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

static uv_tcp_t http;
static uv_poll_t leave;
static char space[65536];
static char text[256];
static size_t text_size;

static void gone(uv_handle_t* h) {
  free(h);
}
static void room(uv_handle_t* h, size_t n, uv_buf_t* b) {
  *b = uv_buf_init(space, sizeof space);
}
static void half_closed(uv_shutdown_t* r, int status) {
  free(r);
}
static void answered(uv_write_t* r, int status) {
  uv_shutdown(malloc(sizeof(uv_shutdown_t)), r->handle, half_closed);  // the sending side first
  free(r);
}
static void read_some(uv_stream_t* s, ssize_t n, const uv_buf_t* b) {
  if (n < 0) return uv_close((uv_handle_t*)s, gone);  // the client has closed
  if (s->data || n == 0) return;                      // thrown away
  s->data = text;
  uv_buf_t out = uv_buf_init(text, text_size);
  uv_write(malloc(sizeof(uv_write_t)), s, &out, 1, answered);
}
static void connected(uv_stream_t* listener, int status) {
  uv_tcp_t* c = calloc(1, sizeof *c);
  uv_tcp_init(listener->loop, c);
  if (status == 0 && uv_accept(listener, (uv_stream_t*)c) == 0)
    uv_read_start((uv_stream_t*)c, room, read_some);
  else
    uv_close((uv_handle_t*)c, gone);
}
static void told_to_leave(uv_poll_t* p, int status, int events) {
  graced_stopping();
  uv_poll_stop(p);                      // never uv_close() what reads from the descriptor
  uv_close((uv_handle_t*)&http, NULL);  // leaves the epoll set first; uv_run() ends with the last connection
}

int main(void) {
  uv_loop_t* loop = uv_default_loop();
  int drain = graced_drain_start(NULL, 0);
  int fd = graced_listen("http", "127.0.0.1:8080");
  if (drain < 0 || fd < 0) return fprintf(stderr, "%s\n", graced_error()), 1;
  char body[64];
  int size = snprintf(body, sizeof body, "pid %d generation %d\n", (int)getpid(), (int)graced_generation());
  text_size = snprintf(text, sizeof text,
                       "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", size, body);
  uv_tcp_init(loop, &http);
  uv_tcp_open(&http, fd);  // sets O_NONBLOCK
  uv_poll_init(loop, &leave, drain);
  uv_poll_start(&leave, UV_READABLE, told_to_leave);
  uv_listen((uv_stream_t*)&http, SOMAXCONN, connected);  // for everybody who shares it
  graced_ready();
  return uv_run(loop, UV_RUN_DEFAULT);
}
