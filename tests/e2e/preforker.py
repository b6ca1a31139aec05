#!/usr/bin/python3
"""A server as many are: it listens, then loads, then starts processes that accept. Its habits are its arguments:

    tcp:PORT         binds that itself; else it takes what it was passed, whoever LISTEN_PID names
    ready            says READY=1 as soon as it listens, as gunicorn's master does
    load:FIFO        loading is to read that FIFO to its end
    raise            what it loads is broken: it exits with 3
    spin             accepts without ever waiting: it asks, and sleeps for 10 ms
    registered       has its sockets in an epoll instance while it loads
    never            never accepts
    several:N        N sockets on the address, of which each process has one
"""
import os, select, signal, socket, sys, time

habits = sys.argv[1:]


def value_of(habit):
    return next((h.partition(":")[2] for h in habits if h.startswith(habit + ":")), None)


def bind(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if value_of("several"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", port))
    s.listen(128)
    return s


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(text, os.environ["NOTIFY_SOCKET"])


def serve(listener):
    if "spin" in habits:
        listener.setblocking(False)
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            time.sleep(0.01)
            continue
        connection.settimeout(60)
        if connection.recv(65536):
            body = b"pid %d generation %s\n" % (os.getpid(), os.environ["GRACED_GENERATION"].encode())
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        connection.close()


port = value_of("tcp")
listeners = ([bind(int(port)) for _ in range(int(value_of("several") or 1))] if port else
             [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))])
registered = select.epoll()
if "registered" in habits:
    for listener in listeners:
        registered.register(listener, select.EPOLLIN)
if "ready" in habits:
    notify(b"READY=1")
if value_of("load"):
    with open(value_of("load")) as f:
        f.read()
registered.close()
if "raise" in habits:
    print("no such table: orders", file=sys.stderr)
    sys.exit(3)
if "spin" in habits:
    serve(listeners[0])
if "never" not in habits:
    for n in range(max(2, len(listeners))):
        if os.fork() == 0:
            serve(listeners[n % len(listeners)])
while True:
    signal.pause()
