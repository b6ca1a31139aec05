"""Clients of the workers' UDP sockets: short flows of numbered datagrams, that know when they asked and who answered."""
import bisect, select, socket, threading, time
from datagram_flows import NumberedDatagrams

FLOW_TIMEOUT = 0.2  # seconds, as graced is told
AT_ONCE = 5
EACH = 6  # datagrams of a flow…
PAUSE = 0.02  # …and the time between two
PATIENCE = 20  # for an answer
LATEST = 0.5  # so long after a switch nobody new may reach who has served before


class Flow(NumberedDatagrams):
    def __init__(self, where):
        super().__init__(socket.AF_INET, where)
        self.asked = []  # when, before and after the kernel had each datagram
        self.answers = {}  # number: (PID, generation)
        self.wrong = None
        self.next = time.monotonic()

    def ask(self):
        before = time.monotonic()
        self.send()
        self.asked.append((before, time.monotonic()))
        self.next = time.monotonic() + PAUSE

    def hear(self):
        for pid, generation, number in self.received():
            if number in self.answers:
                self.wrong = "datagram %d was answered twice, by PIDs %d and %d" % (number, self.answers[number][0], pid)
            self.answers[number] = pid, generation

    def is_over(self, now):
        return len(self.asked) == EACH and (len(self.answers) == EACH or now - self.asked[-1][0] > PATIENCE)

    def lost(self):
        return len(self.asked) - len(self.answers)

    def moves(self):
        """(from, to), PIDs and generations, where a flow was answered by another than before though it was not silent."""
        found = []
        for number in range(1, len(self.asked)):
            before, after = self.answers.get(number - 1), self.answers.get(number)
            silent = self.asked[number][1] - self.asked[number - 1][0]
            if before and after and before != after and silent < FLOW_TIMEOUT:
                found.append((before, after))
        return found


class Datagrams:
    """Some flows at once, one after the other, from begin() to end()."""

    def __init__(self):
        self.thread = None

    def begin(self, where):
        self.where = where
        self.flows, self.ended = {}, []
        self.poll = select.epoll()
        self.goes_on, self.hears_out = True, True
        self.failed = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while self.goes_on or self.flows:
                self._step(time.monotonic())
        except Exception as e:
            self.failed = e

    def _step(self, now):
        while self.goes_on and len(self.flows) < AT_ONCE:
            flow = Flow(self.where)
            self.flows[flow.socket.fileno()] = flow
            self.poll.register(flow.socket, select.EPOLLIN)
        for flow in self.flows.values():
            if flow.next <= now and len(flow.asked) < EACH:
                flow.ask()
        for number, _ in self.poll.poll(PAUSE / 2):
            self.flows[number].hear()
        for number, flow in list(self.flows.items()):
            if flow.is_over(now) or not (self.goes_on or self.hears_out):
                self.poll.unregister(flow.socket)
                flow.socket.close()
                self.ended.append(self.flows.pop(number))

    def is_answered(self, since):
        """A flow that began since then, each datagram."""
        return any(flow.asked[0][0] >= since and not flow.lost() for flow in list(self.ended))

    def end(self, hears_out):
        """hears_out: until all that was asked is answered. Then all flows are in `ended`."""
        if not self.thread:
            return
        self.hears_out, self.goes_on = hears_out, False
        self.thread.join()
        self.thread = None
        self.poll.close()
        if self.failed:
            raise self.failed


def astray(flow, served):
    """Why a new flow was answered by who did not serve then, by a list of (when, generation) from each switch; None: it was
    not. A switch is told a moment before it happens, or after it."""
    if 0 not in flow.answers:
        return None
    first = flow.answers[0][1]
    begins = bisect.bisect_right(served, (flow.asked[0][0] - LATEST, float("inf")))
    ends = bisect.bisect_right(served, (flow.asked[0][1] + LATEST, float("inf")))
    allowed = {generation for _, generation in served[max(0, begins - 1):ends]}
    if first in allowed:
        return None
    return "a flow that began at %.3f was answered by generation %d, not by %s" % (flow.asked[0][0], first, sorted(allowed))
