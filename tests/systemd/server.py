#!/usr/bin/python3 -SE
"""A server as somebody else would write it: Python's own HTTP server on the socket from LISTEN_FDS. It
says READY=1 and finishes on SIGTERM. Its first argument is a file that it answers with, read once; the
word "broken" in it makes the start fail. "deaf" as second argument: SIGTERM does nothing."""
import http.server, os, signal, socket, sys, threading

with open(sys.argv[1]) as f:
    build = f.read().strip()
if build == "broken":
    sys.exit("server.py: this build is broken")


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = b"pid %d build %s names %s\n" % (os.getpid(), build.encode(), os.environ["LISTEN_FDNAMES"].encode())

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", len(self.body))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for them


def serve(fd):
    server = Server(None, Answer, bind_and_activate=False)
    server.socket = socket.socket(fileno=fd)
    server.socket.setblocking(False)  # another worker may be faster
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    return server, thread


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in all threads: it is waited for below
servers = [serve(3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.sigwait([signal.SIGUSR1 if "deaf" in sys.argv else signal.SIGTERM])
for server, thread in servers:
    server.shutdown()
    thread.join()
    server.server_close()
