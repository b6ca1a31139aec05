#!/usr/bin/python3
"""PING, as graced-load asks for a page: the same options, the same report."""
import argparse, json, signal, socket, threading

options = argparse.ArgumentParser()
options.add_argument("--clients", type=int, default=8)
options.add_argument("--keep-alive", action="store_true")
options.add_argument("--pause", default="0ms")
for ignored in "--time", "--timeout":
    options.add_argument(ignored)
options.add_argument("--follow", action="store_true")
options.add_argument("where")
options = options.parse_args()
host, _, port = options.where.rpartition(":")
pause = float(options.pause.removesuffix("ms")) / 1000
stop = threading.Event()
lock = threading.Lock()
answered = 0
failures = dict.fromkeys(("refused", "reset", "eof", "reused_reset", "reused_eof", "partial", "timeout", "http", "body", "local"), 0)


def failed(kind):
    with lock:
        failures[kind] += 1


def ping(s):
    """None if it was answered, else how it failed."""
    answer = b""
    try:
        s.sendall(b"*1\r\n$4\r\nPING\r\n")
        while not answer.endswith(b"\r\n"):
            part = s.recv(100)
            if not part:
                return "partial" if answer else "eof"
            answer += part
    except TimeoutError:
        return "timeout"
    except OSError:
        return "partial" if answer else "reset"
    return None if answer == b"+PONG\r\n" else "body"


def client():
    global answered
    connection = None
    while not stop.is_set():
        reused = connection is not None
        if not reused:
            try:
                connection = socket.create_connection((host, int(port)), 60)
            except ConnectionRefusedError:
                failed("refused")
                stop.wait(0.01)
                continue
        kind = ping(connection)
        if kind is None:
            with lock:
                answered += 1
                if answered == 1 and options.follow:
                    print("answered", flush=True)
        else:
            failed("reused_" + kind if reused and kind in ("reset", "eof") else kind)
        if kind or not options.keep_alive:
            connection.close()
            connection = None
        stop.wait(pause)
        # As every client does before it asks again: a connection that was closed meanwhile is no failure.
        if connection:
            connection.setblocking(False)
            try:
                connection.recv(1)
                connection.close()
                connection = None
            except BlockingIOError:
                connection.settimeout(60)
            except OSError:
                connection.close()
                connection = None


signal.signal(signal.SIGTERM, lambda *_: stop.set())
clients = [threading.Thread(target=client) for _ in range(options.clients)]
for c in clients:
    c.start()
while not stop.is_set():
    stop.wait(0.1)
for c in clients:
    c.join()
print(json.dumps({"answered": answered, "failures": failures}), flush=True)
