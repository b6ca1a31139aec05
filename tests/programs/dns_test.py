"""Servers of DNS over UDP, asked by clients that have another port for each question and by some that keep theirs."""
import os, socket, threading, time
from program import SERVERS, ProgramCase, found, main, setUpModule

PLACE = ("127.0.0.1", 53)
NAME, ANSWER = b"\x01a\x04test\x00", bytes([192, 0, 2, 7])


class Client(threading.Thread):
    """Asks until it is told that it is enough; a question that nobody answers in time is not asked again."""

    def __init__(self, keeps_port):
        super().__init__(daemon=True)
        self.keeps_port = keeps_port
        self.enough = threading.Event()
        self.answered, self.failed = 0, []
        self.start()

    def connect(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(20)
        s.connect(PLACE)
        return s

    def run(self):
        s = self.connect()
        while not self.enough.is_set():
            if not self.keeps_port:
                s.close()
                s = self.connect()
            number = os.urandom(2)
            try:
                s.send(number + b"\x01\0\0\x01\0\0\0\0\0\0" + NAME + b"\0\x01\0\x01")
                answer = s.recv(512)
                if answer[:2] == number and answer.endswith(ANSWER):
                    self.answered += 1
                else:
                    self.failed.append("wrong: %r" % answer)
            except OSError as e:
                self.failed.append(repr(e))
            time.sleep(0.002)
        s.close()


class Dns(ProgramCase):
    def no_question_stays_open(self, *command, options=()):
        g = self.program(*command, options=("--udp-flow-timeout", "1s", "--drain-timeout", "8s", *options))
        clients = [Client(keeps_port) for keeps_port in (False, False, False, True, True)]
        try:
            for generation in range(2, 5):
                asked = [c.answered for c in clients]
                self.wait_until_asked(clients, asked, 100)
                answer = g.reload()
                self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
                self.wait_until_asked(clients, [c.answered for c in clients], 100)
            self.gone(g, 1, clients)
        finally:
            for c in clients:
                c.enough.set()
            for c in clients:
                c.join()
        self.assertEqual([f for c in clients for f in c.failed], [], g.said())
        udp = {a["address"]: a["handoff"] for a in g.status()["addresses"] if a["address"].startswith("udp 127.0.0.1:53")}
        self.assertEqual(udp, {"udp 127.0.0.1:53": "switched"})

    def wait_until_asked(self, clients, before, many):
        end = time.monotonic() + 120
        while any(c.answered < b + many for c, b in zip(clients, before)):
            self.assertLess(time.monotonic(), end, [(c.answered, c.failed) for c in clients])
            time.sleep(0.05)

    def gone(self, g, generation, clients):
        """With what it has: those that keep their port are its flows until its limit."""
        while any(w["generation"] == generation for w in g.workers()):
            self.wait_until_asked(clients, [c.answered for c in clients], 1)

    def test_unbound(self):
        self.no_question_stays_open(found("unbound"), "-d", "-c", os.path.join(SERVERS, "unbound.conf"))

    def test_unbound_with_threads(self):
        conf = self.write("unbound.conf", "include: %s\nserver:\n\tnum-threads: 2\n" % os.path.join(SERVERS, "unbound.conf"))
        self.no_question_stays_open(found("unbound"), "-d", "-c", conf)

    def test_dnsmasq(self):
        self.no_question_stays_open(found("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                                    "--address=/a.test/192.0.2.7", "--listen-address=127.0.0.1", "--bind-interfaces",
                                    "--pid-file=", "--user=root", "--group=root")


if __name__ == "__main__":
    main()
