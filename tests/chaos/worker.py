#!/usr/bin/python3 -SEB
"""The server behind graced in the chaos runs: HTTP with keep-alive on every socket it was passed. It is as
bad as it is told: words on its command line before it serves, and, at SIGUSR2, what the file $CHAOS_DO says.

  ready early hang slow=S exit=N exit=N@WORKER say=TEXT deaf lie     at the start
"""
import errno, os, selectors, signal, socket, sys, time

SO_RCVBUFFORCE = 33

ANSWER = b"pid %d generation %s\n" % (os.getpid(), os.environ.get("GRACED_GENERATION", "0").encode())


def notify(*texts, fds=()):
    if "NOTIFY_SOCKET" not in os.environ:  # it was started by hand
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(os.environ["NOTIFY_SOCKET"])
        for text in texts:
            if fds:
                socket.send_fds(s, [text], fds)
            else:
                s.send(text)


class Server:
    def __init__(self):
        self.select = selectors.DefaultSelector()
        if "CHAOS_ADDRESS" in os.environ:  # a server that knows of nobody
            host, _, port = os.environ["CHAOS_ADDRESS"].partition(":")
            self.listening = [socket.create_server((host, int(port)), backlog=1024)]
            if "CHAOS_DATAGRAMS" in os.environ:
                self.listening.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                self.listening[-1].bind((host, int(port)))
        else:
            self.listening = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
        self.hearing = [s for s in self.listening if s.type == socket.SOCK_DGRAM]
        self.listening = [s for s in self.listening if s not in self.hearing]
        for s in self.listening:
            s.setblocking(False)
            self.select.register(s, selectors.EVENT_READ, self.accept)
        for s in self.hearing:
            s.setblocking(False)
            room = SO_RCVBUFFORCE if os.geteuid() == 0 else socket.SO_RCVBUF  # also while it is stopped for a moment
            s.setsockopt(socket.SOL_SOCKET, room, 4 << 20)
            self.select.register(s, selectors.EVENT_READ, self.echo)
        self.idle = {}  # connection: what came of the next request
        self.used = set()  # those that have had an answer, so that they may be closed when nothing comes
        self.later = []  # those that wait for an answer
        self.leaked = []
        self.leaving = False
        reader, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake)
        self.reader = reader
        self.select.register(reader, selectors.EVENT_READ, lambda _: os.read(reader, 100))
        if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
            signal.signal(signal.SIGTERM, self.leave)
        signal.signal(signal.SIGUSR2, self.misbehave)
        self.wish = None

    def leave(self, *_):
        self.leaving = True

    def misbehave(self, *_):
        self.wish = True

    def accept(self, s):
        try:
            connection = s.accept()[0]
        except OSError as e:  # another was faster; or shut down, or out of descriptors, as we were told to be
            if e.errno not in (errno.EAGAIN, errno.EINVAL, errno.EMFILE):
                raise
            return
        connection.setblocking(False)
        self.idle[connection] = b""
        self.select.register(connection, selectors.EVENT_READ, self.read)

    def echo(self, s):
        try:
            text, client = s.recvfrom(256)
        except BlockingIOError:  # another was faster
            return
        s.sendto(b"%d %s %s" % (os.getpid(), os.environ.get("GRACED_GENERATION", "0").encode(), text), client)

    def drop(self, connection):
        del self.idle[connection]
        self.used.discard(connection)
        self.select.unregister(connection)
        connection.close()

    def read(self, connection):
        try:
            part = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self.idle[connection] += part
        if not part:
            self.drop(connection)
        elif b"\r\n\r\n" in self.idle[connection]:
            question, _, rest = self.idle[connection].partition(b"\r\n\r\n")
            self.idle[connection] = rest
            if question.startswith(b"GET /later "):  # as behind TLS: it has spoken last, and has not answered yet
                connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n%s" % ANSWER)
                self.later.append(connection)
                return
            self.used.add(connection)
            last = self.leaving or b"connection: close" in question.lower()
            connection.setblocking(True)
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s"
                                   % (len(ANSWER), b"Connection: close\r\n" if last else b"", ANSWER))
                connection.setblocking(False)
            except OSError:
                last = True
            if last:
                self.drop(connection)

    def serve(self):
        while not self.leaving:
            for key, _ in self.select.select():
                key.data(key.fileobj)
            self.obey()
        for s in self.listening + self.hearing:
            if s.fileno() >= 0 and s in self.select.get_map():
                self.select.unregister(s)
            s.close()
        # What has been asked is answered; a connection that is idle for a moment is closed.
        while self.idle:
            busy = self.select.select(0.05)
            for key, _ in busy:
                key.data(key.fileobj)
            self.obey()
            if not busy:
                for connection in [c for c in self.used if not self.idle[c]]:
                    self.drop(connection)

    # ---- what it can be told to do -------------------------------------------------------------

    def obey(self):
        if not self.wish:
            return
        self.wish = None
        with open(os.environ["CHAOS_DO"]) as f:
            getattr(self, "do_" + f.read().replace("-", "_"))()

    def do_answer(self):
        for connection in [c for c in self.later if c in self.idle]:
            connection.setblocking(True)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(ANSWER), ANSWER))
            self.drop(connection)
        self.later = []

    def do_shutdown(self):
        for s in self.listening:
            s.shutdown(socket.SHUT_RDWR)

    def do_close(self):
        for s in self.listening:
            self.select.unregister(s)
            s.close()

    def do_blocking(self):  # the flag is everybody's
        for s in self.listening:
            os.set_blocking(s.fileno(), True)
            os.set_blocking(s.fileno(), False)

    def do_flood(self):
        notify(*[b"\xff\0=X\n\nREADY\n=\nSTATUS" * 8] * 2000)

    def do_lies(self):
        notify(b"MAINPID=1", b"READY=1\nREADY=1", b"RELOADING=1", b"WATCHDOG=1", b"ERRNO=5", b"x" * 4000,
               b"EXTEND_TIMEOUT_USEC=18446744073709551615", b"STATUS=" + b"\x1b[2J" * 500, b"")
        null = os.open("/dev/null", os.O_RDONLY)
        notify(b"FDSTORE=1\nFDNAME=x", fds=[null] * 100)
        os.close(null)

    def do_stderr(self):
        os.set_blocking(2, True)
        os.write(2, b"no end of line " * 20000 + b"\n" + b"line\n" * 20000)

    def do_fork(self):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.setsid()
            if os.fork() == 0:
                while True:
                    signal.pause()
            os._exit(0)
        os.wait()

    def do_leak(self):
        try:
            while len(self.leaked) < 2000:
                self.leaked.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass

    def do_exit(self):
        os._exit(7)

    def do_crash(self):
        os.kill(os.getpid(), signal.SIGSEGV)


def main():
    server = None
    for word in sys.argv[1:]:
        habit, _, value = word.partition("=")
        if habit in ("ready", "early"):  # early: it does not wait for anybody yet
            server = Server()
            notify(b"READY=1")
        elif habit == "slow":
            time.sleep(float(value))
        elif habit == "exit":
            status, _, whom = value.partition("@")
            if whom in ("", os.environ["GRACED_WORKER"]):
                os._exit(int(status))
        elif habit == "say":
            os.write(2, value.encode() + b"\n")
        elif habit == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif habit == "hang":
            while True:
                signal.pause()
        elif habit == "lie":  # ready, and gone at the first thing it is asked
            notify(b"READY=1")
            os._exit(9)
    server.serve()


main()
