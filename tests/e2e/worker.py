#!/usr/bin/python3 -SE
"""A worker of many habits, for the tests.

Serves every socket it was passed: each connection gets one line, "pid P generation G build B", as an
HTTP answer. How it behaves is said by words on its command line, in the order in which they are done:

  exit=N die=SIG sleep=S       end, or wait, right here
  ready stopping status=TEXT   say so to graced (NOTIFY_SOCKET)
  notify=TEXT                  say anything else
  extend=SECONDS               ask for more time
  ready-by-helper              let a child say READY=1
  ready-and-barrier            say READY=1 and wait until it was heard (BARRIER=1)
  flood=N                      send N messages of nonsense
  deaf                         ignore SIGTERM
  child=deaf                   have a child that ignores SIGTERM (in our process group)
  child=daemon                 have one that has left the process group and the session
  shut-on-usr1                 at SIGUSR1 call shutdown(2) on every socket it was passed
  say=TEXT mutter=TEXT         a line to stderr; TEXT without a newline
  tell=TEXT                    a line to stdout
  write=FILE:TEXT              append a line to a file ({pid}, {generation}, {env:X}, {self:Sig} and {socket:N} are replaced)
  serve                        the usual: answer until SIGTERM, then finish and exit 0
  serve-late                   after SIGTERM exit only when the file named by LEAVE_FILE appears
"""
import os, signal, socket, sys, selectors, time


def notify(text):
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect("\0" + path[1:] if path.startswith("@") else path)
        s.send(text if isinstance(text, bytes) else text.encode())


def barrier():
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(os.environ["NOTIFY_SOCKET"])
        socket.send_fds(s, [b"BARRIER=1"], [writer])
    os.close(writer)
    os.read(reader, 1)  # until graced has closed its end


def expand(text):
    text = text.replace("{pid}", str(os.getpid())).replace("{generation}", os.environ.get("GRACED_GENERATION", ""))
    if "{self:Sig}" in text:  # PID, process group, and the signal masks as the kernel shows them
        with open("/proc/self/status") as f:
            masks = " ".join(line.strip() for line in f if line.startswith("Sig"))
        text = text.replace("{self:Sig}", "%d %d %s" % (os.getpid(), os.getpgrp(), masks))
    while "{socket:" in text:  # the address of one that was passed
        number = text.split("{socket:", 1)[1].split("}", 1)[0]
        with socket.socket(fileno=os.dup(3 + int(number))) as s:
            text = text.replace("{socket:%s}" % number, str(s.getsockname()))
    while "{env:" in text:
        name = text.split("{env:", 1)[1].split("}", 1)[0]
        text = text.replace("{env:%s}" % name, os.environ.get(name, "(unset)"))
    return text


def passed():
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    return [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]


def shut(*_):
    for s in passed():
        s.shutdown(socket.SHUT_RDWR)
        s.detach()


def spawn_child(leave):
    reader, writer = os.pipe()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if leave:
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
        os.write(writer, b"%d\n" % os.getpid())
        os.close(writer)
        while True:
            signal.pause()
    os.close(writer)
    pid = int(os.read(reader, 32))
    os.close(reader)
    return pid


def serve(late):
    stop_r, stop_w = os.pipe()
    if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, lambda *_: os.write(stop_w, b"x"))
    select = selectors.DefaultSelector()
    select.register(stop_r, selectors.EVENT_READ)
    for s in passed():
        os.set_blocking(s.fileno(), False)
        select.register(s, selectors.EVENT_READ)
    body = ("pid %d generation %s build %s\n" % (os.getpid(), os.environ.get("GRACED_GENERATION"),
                                                  os.environ.get("BUILD", "-"))).encode()
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    while True:
        for key, _ in select.select():
            if key.fd == stop_r:
                if late:
                    while not os.path.exists(os.environ["LEAVE_FILE"]):
                        time.sleep(0.005)
                sys.exit(0)
            try:
                connection = key.fileobj.accept()[0]
            except OSError:  # another worker was faster, or it was shut down
                continue
            connection.settimeout(20)
            if connection.recv(65536):
                connection.sendall(answer)
            connection.close()


def main():
    for word in sys.argv[1:]:
        habit, _, value = word.partition("=")
        if habit == "exit":
            os._exit(int(value))
        elif habit == "die":
            os.kill(os.getpid(), getattr(signal, "SIG" + value))
        elif habit == "sleep":
            time.sleep(float(value))
        elif habit == "ready":
            notify("READY=1")
        elif habit == "stopping":
            notify("STOPPING=1")
        elif habit == "status":
            notify("STATUS=" + expand(value))
        elif habit == "notify":
            notify(value)
        elif habit == "extend":
            notify("EXTEND_TIMEOUT_USEC=%d" % int(float(value) * 1e6))
        elif habit == "ready-by-helper":
            if os.fork() == 0:
                notify("READY=1")
                barrier()  # who is gone before graced has looked cannot be known
                os._exit(0)
            os.wait()
        elif habit == "ready-and-barrier":
            notify("READY=1")
            barrier()
        elif habit == "flood":
            for i in range(int(value)):
                notify(b"\xff\0=X\n\nREADY\n=\nSTATUS" * 8)
        elif habit == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif habit == "child":
            pid = spawn_child(leave=value == "daemon")
            with open(os.environ["CHILD_FILE"], "a") as f:
                f.write("%d\n" % pid)
        elif habit == "shut-on-usr1":
            signal.signal(signal.SIGUSR1, shut)
        elif habit == "say":
            os.write(2, (expand(value) + "\n").encode())
        elif habit == "tell":
            os.write(1, (expand(value) + "\n").encode())
        elif habit == "mutter":
            os.write(2, expand(value).encode())
        elif habit == "write":
            path, _, text = value.partition(":")
            with open(path, "a") as f:
                f.write(expand(text) + "\n")
        elif habit == "serve":
            serve(late=False)
        elif habit == "serve-late":
            serve(late=True)
        else:
            sys.exit("worker.py: what is '%s'?" % word)


main()
