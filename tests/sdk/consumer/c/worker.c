/* The least that uses the C form: it is built against an installed tree. */
#include <graced/child.h>
#include <stddef.h>

int main(void) {
  const int drain = graced_drain_start(NULL, 0);
  const int http = graced_listen("http", "127.0.0.1:0");
  graced_ready();
  graced_drain_request();
  return drain >= 0 && http >= 0 && graced_drain_wait(1000) == 1 ? 0 : 1;
}
