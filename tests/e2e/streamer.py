#!/usr/bin/python3
"""A server that answers slowly, and whose connections are quiet in all the ways that are not idle. It knows nothing of
graced. streamer.py PORT DIRECTORY [HABIT…]: what it waits for are files in DIRECTORY; what it has begun it says there as
well, in a file of its generation, "begun.1", a line for each request.

    /slow        answers when "go" is there
    /pause       half of a body, the other half when "go" is there
    /events      an event at once, one more when "go" is there
    /talk        changes to lines that are echoed, as a WebSocket does with its messages
    /            answers at once

    tls          HTTPS, with the certificate DIRECTORY/pem
    finish       on SIGTERM says "goodbye" on each /talk, finishes all else and leaves; without it SIGTERM is its end
    deaf         ignores SIGTERM
"""
import os, select, signal, socket, ssl, sys, threading

port, directory, habits = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
generation = os.environ["GRACED_GENERATION"]
lock = threading.Lock()
talking, busy = [], []


def wait_for(name):
    while not os.path.exists(os.path.join(directory, name)):
        select.select([], [], [], 0.005)


def begun(what):
    with lock, open(os.path.join(directory, "begun." + generation), "a") as f:
        f.write(what + "\n")


def reply(connection, what):
    body = b"generation %s\n" % generation.encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(body) if what == "/pause" else len(body))
    if what == "/slow":
        begun(what)
        wait_for("go")
        connection.sendall(head + body)
    elif what == "/pause":
        connection.sendall(head + body)
        begun(what)
        wait_for("go")
        connection.sendall(body)
    elif what == "/events":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: one\n\n")
        begun(what)
        wait_for("go")
        connection.sendall(b"data: two\n\n")
        return False
    elif what == "/talk":
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: talk\r\nConnection: Upgrade\r\n\r\n")
        talking.append(connection)
        begun(what)
        while line := connection.recv(1000):
            connection.sendall(line)
        return False
    else:
        connection.sendall(head + body)
    return True


def serve(connection):
    try:
        if "tls" in habits:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    part = connection.recv(65536)
                    if not part:
                        return
                    pending += part
                request, _, pending = pending.partition(b"\r\n\r\n")
                busy.append(connection)
                goes_on = reply(connection, request.split()[1].decode())
                busy.remove(connection)
                if not goes_on:
                    return
    except OSError:
        return


def finish():
    signal.sigwait({signal.SIGTERM})
    listener.close()
    for connection in talking:
        connection.sendall(b"goodbye\n")
        connection.shutdown(socket.SHUT_WR)
    while [c for c in busy if c not in talking]:
        select.select([], [], [], 0.005)
    os._exit(0)


if "deaf" in habits:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "finish" in habits:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=finish, daemon=True).start()
if "tls" in habits:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(directory, "pem"))
listener = socket.create_server(("127.0.0.1", port), backlog=128)
try:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
except OSError:
    threading.Event().wait()
