#!/usr/bin/python3 -SE
"""A server that knows nothing of graced, for tests of what is probed: probed.py DIRECTORY PORT|PATH|passed…

At /healthz it says what the file `health` in DIRECTORY had in it when the server started: a status, or `hang` for no
answer at all. Anywhere else it says which generation it is of; at /hold it takes its time for that. Each request is a line
of the file `asked.GENERATION`. Once there is a file `health.GENERATION` that is the health of it, and if it is `hang`
nobody is answered any more at all."""
import os, selectors, socket, sys

directory, places = sys.argv[1], sys.argv[2:]
generation = os.environ["GRACED_GENERATION"]
with open(os.path.join(directory, "health")) as f:
    health = f.read().strip()
with open(os.path.join(directory, "health.read"), "w"):
    pass
asked = open(os.path.join(directory, "asked." + generation), "a", buffering=1)


def listen(place):
    if place == "passed":
        return [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
    if place.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(place)
    else:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", int(place)))
    s.listen(1024)
    return [s]


selector = selectors.DefaultSelector()
for place in places:
    for s in listen(place):
        selector.register(s, selectors.EVENT_READ)
kept = []


def health_now():
    try:
        with open(os.path.join(directory, "health." + generation)) as f:
            return f.read().strip(), True
    except FileNotFoundError:
        return health, False


while True:
    for key, _ in selector.select():
        client = key.fileobj.accept()[0]
        request = b""
        while b"\r\n\r\n" not in request:
            part = client.recv(65536)
            if not part:
                break
            request += part
        if not request:
            asked.write("nothing\n")
            client.close()
            continue
        path = request.split()[1].decode()
        asked.write(path + "\n")
        now, of_all = health_now()
        if path == "/hold" or (now == "hang" and (of_all or path == "/healthz")):
            kept.append(client)
            continue
        if path != "/healthz":
            status, body = "200 OK", "generation " + generation
        else:
            status, body = now, "health of generation " + generation
        client.sendall(("HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)).encode())
        client.close()
