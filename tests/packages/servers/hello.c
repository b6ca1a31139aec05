/* hello PORT | fd:N: a server that knows nothing of graced, for whatever C library it is compiled with. It
 * answers every connection with its PID, one after another, and SIGTERM kills it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(const char* port) {
  const int on = 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 128) != 0) {
    perror(port);
    exit(1);
  }
  return listener;
}

int main(int argc, char** argv) {
  const char* where = argc == 2 ? argv[1] : "8080";
  const int listener = strncmp(where, "fd:", 3) == 0 ? atoi(where + 3) : listen_on(where);
  char request[4096], answer[64];
  while (1) {
    const int client = accept(listener, NULL, NULL);
    if (client < 0) continue;
    const int length =
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npid %d", (int)getpid());
    if (read(client, request, sizeof request) > 0) (void)!write(client, answer, (size_t)length);
    shutdown(client, SHUT_WR);
    while (read(client, request, sizeof request) > 0) continue;
    close(client);
  }
}
