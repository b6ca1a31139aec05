#!/usr/bin/python3
"""A server on addresses of every kind, which knows nothing of graced: everything_server.py PORT PATH DIRECTORY.

It binds TCP and UDP of PORT and the unix path PATH, and accepts as well on each socket that it was passed. HTTP is answered
with "pid P generation G", and connections are kept; a datagram with "P G " and what was asked. /hold is answered in two
halves, the second when DIRECTORY/go is there. SIGTERM ends it once every answer is sent."""
import os, select, signal, socket, sys, threading

port, path, directory = int(sys.argv[1]), sys.argv[2], sys.argv[3]
generation = os.environ.get("GRACED_GENERATION", "0")
body = b"pid %d generation %s\n" % (os.getpid(), generation.encode())
lock = threading.Lock()
answering = set()
leaving = threading.Event()


def wait_for(name):
    while not os.path.exists(os.path.join(directory, name)):
        select.select([], [], [], 0.01)


def answer(connection, request):
    close = b"connection: close" in request.lower() or leaving.is_set()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n"
    more = b"Connection: close\r\n" if close else b""
    if request.split()[1] == b"/hold":
        connection.sendall(head % (2 * len(body), more) + body)
        wait_for("go")
        connection.sendall(body)
    else:
        connection.sendall(head % (len(body), more) + body)
    return not close


def serve(connection):
    pending = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in pending:
                try:
                    part = connection.recv(65536)
                except OSError:
                    return
                if not part:
                    return
                pending += part
            request, _, pending = pending.partition(b"\r\n\r\n")
            with lock:
                answering.add(connection)
            try:
                goes_on = answer(connection, request)
            except OSError:
                goes_on = False
            with lock:
                answering.discard(connection)
            if not goes_on:
                return


def accept(listener):
    listener.setblocking(False)
    while True:
        select.select([listener], [], [])
        try:
            connection, _ = listener.accept()
        except OSError:
            continue
        connection.setblocking(True)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def echo(s):
    s.setblocking(True)
    me = b"%d %s " % (os.getpid(), generation.encode())
    while True:
        text, client = s.recvfrom(2048)
        s.sendto(me + text, client)


def bind(family, kind, where):
    s = socket.socket(family, kind)
    if family == socket.AF_INET and kind == socket.SOCK_STREAM:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(where)
    if kind == socket.SOCK_STREAM:
        s.listen(512)
    return s


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
listeners = []
if os.environ.get("LISTEN_PID") == str(os.getpid()):
    listeners += [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
if os.path.exists(path):
    os.unlink(path)
listeners += [bind(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port)), bind(socket.AF_UNIX, socket.SOCK_STREAM, path)]
datagrams = bind(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", port))
for listener in listeners:
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
threading.Thread(target=echo, args=(datagrams,), daemon=True).start()

signal.sigwait({signal.SIGTERM})
leaving.set()
while True:
    with lock:
        if not answering:
            os._exit(0)
    select.select([], [], [], 0.01)
