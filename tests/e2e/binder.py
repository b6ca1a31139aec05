#!/usr/bin/python3
"""A server that knows nothing of graced: it binds its address itself, keeps connections alive, and dies at
SIGTERM in the middle of whatever it does. Started by hand it is of generation 0. Its habits are its arguments:

    tcp:[HOST:]PORT  unix:PATH  abstract:NAME  udp:PORT    listens there (udp: binds only)
    moved:PATH linked:PATH   binds PATH.PID.tmp, listens there, and renames or links it to PATH
    mv:PATH          the same, and lets a process of its own rename it
    private:DIRECTORY        listens in a directory of its own, made in that one, under a name that nobody can know
    look-first       before it binds a unix path it looks whether somebody listens there, and leaves if so, as php-fpm
    ready            says READY=1 once all of them listen
    early:PATH       says READY=1 before any of them does, which they do once PATH is there
    slow             takes 300 ms to answer
    held             answers only when the file FILE in held:FILE is there
    asked:FILE       makes FILE when it is asked something
    late:FILE        binds what follows only when FILE is there
    rebind:FILE      closes its first address and binds it again when FILE is there, and removes FILE
    bound            binds and never listens
    at-once          accepts on each address while it has not yet bound the next one
    fork             a child accepts, the parent waits for it
    exit             exits at once with 3, after a word on stderr
"""
import os, random, select, socket, string, subprocess, sys, threading

habits = sys.argv[1:]


def value_of(habit):
    return next((h.partition(":")[2] for h in habits if h.startswith(habit + ":")), None)


def wait_for(path):
    while not os.path.exists(path):
        select.select([], [], [], 0.005)


def bind(habit):
    kind, _, where = habit.partition(":")
    if kind in ("tcp", "udp"):
        host, _, port = where.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, int(port)))
    else:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if "look-first" in habits:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as look:
                    look.connect("\0" + where if kind == "abstract" else where)
                sys.exit("another instance seems to listen on " + where)
            except OSError:
                pass
        if kind == "unix" and os.path.exists(where):
            os.unlink(where)
        s.bind("\0" + where if kind == "abstract" else where)
    return s


def listen(s):
    if s.type == socket.SOCK_STREAM and "bound" not in habits:
        s.listen(128)
    return s


def put_in_place(habit):
    """Bound elsewhere, as servers do it whose path shall never be without somebody who listens there."""
    kind, _, path = habit.partition(":")
    temporary = "%s.%d.tmp" % (path, os.getpid())
    s = listen(bind("unix:" + temporary))
    if kind == "moved":
        os.rename(temporary, path)
    elif kind == "mv":
        subprocess.run(["mv", temporary, path], check=True)
    else:
        if os.path.exists(path):
            os.unlink(path)
        os.link(temporary, path)
        os.unlink(temporary)
    return s


def serve(connection):
    with connection:
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                part = connection.recv(65536)
                if not part:
                    return
                pending += part
            request, _, pending = pending.partition(b"\r\n\r\n")
            if "slow" in habits:
                select.select([], [], [], 0.3)
            if value_of("asked"):
                open(value_of("asked"), "w").close()
            if value_of("held"):
                wait_for(value_of("held"))
            body = b"pid %d generation %s\n" % (os.getpid(), os.environ.get("GRACED_GENERATION", "0").encode())
            close = b"connection: close" in request.lower()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s"
                               % (len(body), b"Connection: close\r\n" if close else b"", body))
            if close:
                return


def accept(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if "exit" in habits:
    sys.exit("this build is broken")
listeners = []
def say_ready():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


for habit in habits:
    if habit.startswith("early:"):
        say_ready()
        wait_for(habit.partition(":")[2])
    elif habit.startswith("late:"):
        wait_for(habit.partition(":")[2])
    elif habit.startswith(("tcp:", "unix:", "abstract:", "udp:")):
        listeners.append(listen(bind(habit)))
        if "at-once" in habits:
            threading.Thread(target=accept, args=(listeners[-1],), daemon=True).start()
listeners += [put_in_place(h) for h in habits if h.startswith(("moved:", "linked:", "mv:"))]
if value_of("private"):
    # As mkdtemp(3) names them.
    own = os.path.join(value_of("private"), "own." + "".join(random.choices(string.ascii_letters + string.digits, k=6)))
    os.mkdir(own)
    listeners.append(listen(bind("unix:" + os.path.join(own, "sock"))))
if "fork" in habits and (child := os.fork()):
    os.waitpid(child, 0)
    sys.exit()
if "ready" in habits:
    say_ready()
for listener in listeners:
    if listener.type == socket.SOCK_STREAM and "at-once" not in habits:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
if value_of("rebind"):
    wait_for(value_of("rebind"))
    listeners[0].shutdown(socket.SHUT_RDWR)
    listeners[0].close()
    again = listen(bind(next(h for h in habits if h.startswith("tcp:"))))
    threading.Thread(target=accept, args=(again,), daemon=True).start()
    os.unlink(value_of("rebind"))
threading.Event().wait()
