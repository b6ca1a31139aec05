"""Clients of a UDP echo server, each a flow of its own, whose datagrams are numbered: which server has answered which, and
what was lost. And the server."""
import random, resource, select, socket, threading, time

# Answers "PID GENERATION " and what was asked. On what it was passed, or else where it is told: HOST PORT. A drain signal
# ends it at once, as it does most programs that know nothing of it.
ECHO = '''#!/usr/bin/python3 -B
import os, socket, sys

SO_RCVBUFFORCE = 33
if os.environ.get("LISTEN_FDS"):
    s = socket.socket(fileno=3)
else:
    host, port = sys.argv[1:]
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if host == "::":
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((host, int(port)))
s.setblocking(True)
try:
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
except OSError:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
me = ("%d %s " % (os.getpid(), os.environ["GRACED_GENERATION"])).encode()
while True:
    text, client = s.recvfrom(2048)
    s.sendto(me + text, client)
'''

# The same, but it answers what it has read before it goes.
ECHO_THAT_FINISHES = ECHO[:ECHO.index("while True:")] + '''import select, signal
told, tells = os.pipe()
os.set_blocking(tells, False)
signal.set_wakeup_fd(tells)
leaving = []
signal.signal(signal.SIGTERM, lambda *_: leaving.append(True))
s.setblocking(False)
while not leaving:
    select.select([s, told], [], [])
    try:
        text, client = s.recvfrom(2048)
    except BlockingIOError:
        continue
    s.sendto(me + text, client)
'''


class NumberedDatagrams:
    """A client's socket. What it sends is numbered, and answered with the number."""

    taken = {}  # (from, to): until when
    FORGOTTEN = 120  # seconds after which nobody takes it for the flow of before: four times --udp-flow-timeout

    def __init__(self, family, address):
        self.socket = self.another_flow(family, address)
        self.socket.setblocking(False)
        self.sent = 0

    @classmethod
    def another_flow(cls, family, address):
        """From a port that no earlier client of this address had: the kernel gives those out again, and to graced a client
        from the same port is the same flow."""
        now = time.monotonic()
        repeated = []
        while True:
            client = socket.socket(family, socket.SOCK_DGRAM)
            client.connect(address)
            flow = (client.getsockname(), address)
            if cls.taken.get(flow, now) <= now:
                break
            repeated.append(client)  # open until another is found, or its port would be given out once more
        for other in repeated:
            other.close()
        cls.taken[flow] = now + cls.FORGOTTEN
        return client

    def send(self):
        for _ in range(2):  # what nobody heard comes back as an error of the next call
            try:
                self.socket.send(b"%d" % self.sent)
                break
            except ConnectionRefusedError:
                pass
        self.sent += 1

    def received(self):
        """(PID, generation, number) of each answer that is there."""
        while True:
            try:
                yield tuple(map(int, self.socket.recv(256).split()))
            except ConnectionRefusedError:
                continue
            except BlockingIOError:
                return


class Flow(NumberedDatagrams):
    def __init__(self, family, address, now, lasts):
        super().__init__(family, address)
        self.began = now
        self.lasts = lasts
        self.next = now
        self.open = set()
        self.answers = []  # (when, generation), one for each time that another server answers than the one before
        self.pid = None

    def ask(self):
        self.open.add(self.sent)
        self.send()

    def hear(self, now):
        for pid, generation, number in self.received():
            self.open.discard(number)
            if pid != self.pid:
                self.pid = pid
                self.answers.append((now, generation))


class Flows(threading.Thread):
    """`many` that last, each with a datagram every `pause` seconds, and `new` a second that have three."""

    def __init__(self, address, many, pause=1.0, new=20):
        super().__init__(daemon=True)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
        self.family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.address, self.pause, self.new = address, pause, new
        self.poll = select.epoll()
        self.by_number = {}
        now = time.monotonic()
        self.flows = [self.begin_flow(now + pause * random.random(), True) for _ in range(many)]
        self.over = threading.Event()
        self.patience = 20
        self.failed = None
        self.start()

    def begin_flow(self, when, lasts):
        flow = Flow(self.family, self.address, when, lasts)
        self.by_number[flow.socket.fileno()] = flow
        self.poll.register(flow.socket, select.EPOLLIN)
        return flow

    def run(self):
        try:
            self.ask_on()
        except Exception as e:
            self.failed = e

    def ask_on(self):
        next_flow = time.monotonic()
        while not self.over.is_set():
            now = time.monotonic()
            if self.new and now >= next_flow:
                self.flows.append(self.begin_flow(now, False))
                next_flow = max(next_flow + 1 / self.new, now - 1)
            for flow in self.flows:
                if flow.next <= now and (flow.lasts or flow.sent < 3):
                    flow.ask()
                    flow.next = now + (self.pause if flow.lasts else 0.02)
            self.hear(0.002)
        end = time.monotonic() + self.patience
        while time.monotonic() < end and any(flow.open for flow in self.flows):
            self.hear(0.05)

    def hear(self, patience):
        for number, _ in self.poll.poll(patience):
            self.by_number[number].hear(time.monotonic())

    def answered(self):
        """How many of those that last have got an answer."""
        return sum(1 for flow in self.flows if flow.lasts and flow.answers)

    def end(self, patience=20):
        """When every answer has come, or after so many seconds."""
        self.patience = patience
        self.over.set()
        self.join()
        for flow in self.flows:
            flow.socket.close()
        self.poll.close()
        if self.failed:
            raise self.failed
        return self

    def lost(self):
        return sum(len(flow.open) for flow in self.flows)

    def sent(self):
        return sum(flow.sent for flow in self.flows)

    def moves(self):
        """(when, from, to) of each time that a flow was answered by another generation than before."""
        return [(when, before, after) for flow in self.flows
                for (_, before), (when, after) in zip(flow.answers, flow.answers[1:]) if before != after]

    def first_answers(self, since, until):
        """By which generations the flows were first answered that began in this time."""
        return {flow.answers[0][1] for flow in self.flows if since <= flow.began < until and flow.answers}
