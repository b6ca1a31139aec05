"""Each program that listens on TCP, started by hand: it is taken over under load, after a first try that fails, nobody
notices, and it is reloaded then like any other."""
import socket, subprocess, unittest
from collections import Counter
from program import HARD, RELOADS, RedisQuestion, each_program_again, main, record, setUpModule, wait_until
from harness import PATIENCE, children  # found by program
from listening import shown, sockets_of

LISTEN = "0A"
CLIENTS = {6379, 8000, 8080}  # where these programs have them
IDLE = 20
SICK = "--probe", "exec:/bin/false,interval=50ms,timeout=%ds" % PATIENCE  # it is ready, and gets no client


def listening_ports():
    """Of this process's own network."""
    found = []
    for family in "tcp", "tcp6":
        with open("/proc/net/" + family) as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN:
                    found.append(int(fields[1].rpartition(":")[2], 16))
    return found


class Taken:
    """Before a ProgramCase: what it would start below graced is started by hand first, and taken over."""

    how = "taken_and_reloaded"
    reloads = min(RELOADS, 3)

    def graced(self, *arguments, command=(), preexec=None, options=(), **more):
        if "-l" in arguments or "-l" in options or "--take" in options:
            raise unittest.SkipTest("its address is graced's")
        if any(word.startswith("unix:") for word in command):
            raise unittest.SkipTest("it listens on no TCP address")
        before = set(listening_ports())  # of those that it needs
        old = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, preexec_fn=preexec, start_new_session=True)
        self.addCleanup(self.end_group, old)

        def its_ports():
            return set(listening_ports()) - before

        # Of several ports the one for clients need not be the first: varnish's is after that of its commands.
        wait_until(lambda: its_ports() and not CLIENTS.isdisjoint(listening_ports()) or old.poll() is not None)
        ports = its_ports()
        if old.poll() is not None or not ports:
            raise unittest.SkipTest("it goes into the background, or listens on no TCP address")
        port = min(ports)
        # It may stand behind another one, or have others for TLS and gRPC.
        asked = 8080 if 8080 in listening_ports() else port
        where = "127.0.0.1:%d" % asked
        loads = {"short": self.load(where, "--clients", "2", "--pause", "5ms"),
                 "kept": self.load(where, "--keep-alive", "--clients", "8", "--pause", "600ms")} \
            if self.load_program.endswith("graced-load") else {"short": self.load(where)}
        for load in loads.values():
            load.began()
        idle = [self.idle(asked) for _ in range(IDLE * (asked in ports))]
        if "varnish" in self.id():  # it has a port for itself that is another one each time
            options = *options, "--adopt-changes", "allow"
        take = "--take", "tcp:%d" % port
        found = self.state(old)
        sick = super().graced(*take, *SICK, *arguments, command=command, preexec=preexec, options=options,
                              **{**more, "name": "sick", "wait": False})
        self.assertEqual(sick.process.wait(PATIENCE), 1, sick.said())
        self.assertIn("serves on, as before", sick.said())
        self.assertEqual(self.state(old), found)
        g = super().graced(*take, *arguments, command=command, preexec=preexec, options=options, **more)
        for s in idle:
            while s.recv(65536):  # until its end, which is no ECONNRESET
                pass
        old.wait(PATIENCE)
        self.one_serves(g)
        reports = {kind: load.report() for kind, load in loads.items()}
        record({"program": self.called(), "taken": 1, "answered": sum(r["answered"] for r in reports.values()),
                "failures": dict(sum((Counter(r["failures"]) for r in reports.values()), Counter()))})
        for kind, report in reports.items():
            self.assertEqual({f: report["failures"][f] for f in HARD if report["failures"][f]}, {}, "%s: %s\n%s" % (kind, report, g.said()))
        return g

    def idle(self, port):
        """A connection that nobody uses any more; some servers close it at once."""
        s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(s.close)
        s.sendall(RedisQuestion.begun + RedisQuestion.rest if self.question is RedisQuestion else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(s.recv(65536))
        return s

    def state(self, old):
        """Of all that listens, as ss and as those who have it have it."""
        return shown(), {pid: sockets_of(pid) for pid in (old.pid, *children(old.pid))}


globals().update(each_program_again(Taken, "Taken"))


if __name__ == "__main__":
    main()
