"""Somebody does something again and again without end: clients of the control socket, whoever sends signals, workers that
write, or bind in vain. Everything else has its turn all the same: commands, limits, a reload, a stop."""
import os, socket, subprocess
import own_network
from harness import Case, ask, main, wait_until
from own_network import free_port

# Ends with graced, or with the test, whichever is first.
BEGIN = "import ctypes, os, signal, socket, sys\nctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
CONNECTS = BEGIN + """
while True:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(sys.argv[1])
"""
SIGNALS = BEGIN + """
while True:
    os.kill(int(sys.argv[1]), signal.SIGWINCH)
"""
BINDS = """#!/usr/bin/python3
import ctypes, os, signal, socket, sys
port, held, many = map(int, sys.argv[1:])
parent = os.getpid()
for _ in range(many):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        while os.getppid() == parent:
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", held))
                    sys.exit("it is free")
                except OSError:
                    pass
        os._exit(0)
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen()
    while True:
        with s.accept()[0] as client:
            client.recv(1000)
            client.send(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\ngeneration %s \\n" % os.environb[b"GRACED_GENERATION"])
"""
WRITES = """#!/usr/bin/python3 -SE
import os, signal, socket
signal.signal(signal.SIGTERM, signal.SIG_IGN)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    os.write(1, b"%039d\\n" % 0 * 1500)
"""


def setUpModule():
    own_network.enter()


class Flood(Case):
    def flood(self, program, *arguments, many):
        for _ in range(many):
            p = subprocess.Popen(["/usr/bin/python3", "-c", program, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(lambda p=p: (p.kill(), p.wait()))

    def is_not_deaf(self, g):
        """To those who ask, to its limits, and to a signal."""
        before = g.status()["serving"]
        self.ready_within("1s")
        self.become("serve")
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("not ready within 1s", r.stderr)
        self.ready_within("10min")
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.status()["serving"], before + 2)
        self.soon("generation %d " % (before + 2), g.ask)
        self.assertEqual(g.end(), 0)

    def test_clients_that_come_and_go_do_not_make_graced_deaf(self):
        g = self.switchable(*self.ready_within("10min"))
        self.flood(CONNECTS, g.control, many=8)
        self.is_not_deaf(g)

    def test_whoever_sends_signals_does_not_make_graced_deaf(self):
        g = self.switchable(*self.ready_within("10min"))
        self.flood(SIGNALS, str(g.pid), many=2)
        self.is_not_deaf(g)

    def test_processes_that_bind_in_vain_do_not_make_graced_deaf(self):
        port = free_port()
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            held.listen()
            script = self.write("app", BINDS, 0o755)
            g = self.graced(options=(), command=(script, str(port), str(held.getsockname()[1]), "40"))
            for generation in 1, 2, 3:
                self.soon("generation %d " % generation, lambda: ask(("127.0.0.1", port)))
                self.assertEqual(g.run("status").returncode, 0)
                self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertEqual(g.end(), 0)

    def test_workers_that_write_without_end_do_not_make_graced_deaf(self):
        script = self.write("app", WRITES, 0o755)
        g = self.graced("--ready", "notify", "--output", "prefix", "-w", "3", "--drain", "signal", "--drain-timeout", "1s",
                        "--stop-timeout", "1s", command=(script,), preexec=lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 1))
        self.assertEqual(g.run("status").returncode, 0)
        self.assertEqual(g.reload().returncode, 0, g.status())
        wait_until(lambda: {w["generation"] for w in g.workers()} == {2}, g.workers)  # by SIGKILL, at its time
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
