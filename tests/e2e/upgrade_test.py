"""graced is replaced by another version of itself, again and again, with the same PID: nobody notices, and all is as it was.
GRACED_UPGRADES says how often where that is the point."""
import os, socket
import own_network
from datagram_flows import Flows
from harness import GRACED, HERE, NOBODY, NO_PRIVILEGE, PATIENCE, ask, for_everybody, main, wait_until
from load import Load, assert_nothing_lost
from own_network import free_port
from upgrading import NEXT, NEXT_VERSION, Askers, UpgradeCase

UPGRADES = int(os.environ.get("GRACED_UPGRADES", "12" if os.environ.get("GRACED_SANITIZED") == "1" else "50"))
SERVER = for_everybody(os.path.join(HERE, "everything_server.py"))
SANITIZED = os.environ.get("GRACED_SANITIZED") == "1"


def setUpModule():
    own_network.enter()


class Mixed(UpgradeCase):
    """Addresses of every kind: TCP by --listen, and TCP, a unix path and UDP of the server's own."""

    def mixed(self, *options):
        self.port, self.passed, self.socket_path = free_port(), free_port(), self.path("own.sock")
        self.write("t.conf", "drain-timeout = 1h\nudp-flow-timeout = 1s\nmax-draining = 100\noutput = prefix\n")
        return self.graced("--adopt", "on", "--drain", "idle", "--config", self.path("t.conf"), "--pid-file", self.path("pid"), *options,
                           options=("-l", "127.0.0.1:%d,name=passed" % self.passed),
                           command=(SERVER, str(self.port), self.socket_path, self.directory))

    def answers(self):
        """The generation by which each address is answered."""
        where = [("127.0.0.1", self.port), ("127.0.0.1", self.passed), self.socket_path]
        return [ask(address).split()[-1] for address in where]

    def hold(self):
        """A connection in the middle of its answer, which keeps its generation until let_go()."""
        held = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(held.close)
        held.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = b""
        while not heard.endswith(b"\n") or b"generation" not in heard:
            part = held.recv(65536)
            self.assertTrue(part, heard)
            heard += part
        return held, heard.split()[-1].decode()

    def let_go(self, held):
        """Each is answered by the generation that began."""
        self.write("go", "")
        for connection, generation in held:
            rest = b""
            while not rest.endswith(b"\n"):
                part = connection.recv(65536)
                self.assertTrue(part, "an answer was cut after %r" % rest)
                rest += part
            self.assertEqual(rest.split()[-1].decode(), generation)
            connection.close()

    def with_two_that_drain(self, *options):
        g = self.mixed(*options)
        held = [self.hold()]
        for _ in range(2):
            self.assertEqual(g.reload().returncode, 0, g.said())
            held.append(self.hold())
        self.assertEqual([generation for _, generation in held], ["1", "2", "3"])
        return g, held

    def only_those_drain(self, g, generations):
        wait_until(lambda: {w["generation"] for w in g.workers("draining")} == generations, lambda: "%s\n%s" % (g.workers(), g.said()))

    def test_up_down_and_up_again_all_is_as_it_was(self):
        g, held = self.with_two_that_drain()
        self.only_those_drain(g, {1, 2})
        idle = lambda: all("idle" in w["waits_for"] for w in g.workers("draining"))
        wait_until(idle, lambda: g.workers("draining"))
        before = self.came_to_rest(g)
        history, deadlines, logs = self.history(g), self.deadlines(g), g.run("logs").stdout
        version = g.status()["version"]
        self.assertNotEqual(version, NEXT_VERSION)
        for binary, expected in (NEXT, NEXT_VERSION), (GRACED, version), (NEXT, NEXT_VERSION):
            self.upgraded(g, binary)
            self.assertEqual(g.status()["version"], expected)
            self.assert_as_before(g, before)
            self.assert_deadlines_kept(deadlines, self.deadlines(g))
            with open(self.path("pid")) as f:
                self.assertEqual(int(f.read()), g.pid)
        self.assertEqual([e for e in self.history(g) if e["event"] != "upgraded"], history)
        self.assertEqual(self.kinds(g).count("upgraded"), 3)
        self.assertEqual(g.run("logs").stdout, logs)
        self.assertEqual(self.answers(), ["3", "3", "3"])
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(self.answers(), ["4", "4", "4"])
        self.let_go(held)
        self.only_those_drain(g, set())
        self.assertEqual(g.end(), 0, g.said())
        self.assert_nothing_left(g)
        self.assertFalse(os.path.exists(self.path("pid")))

    def test_upgrades_between_reloads_under_load(self):
        g, held = self.with_two_that_drain()
        tcp, passed, unix = "127.0.0.1:%d" % self.port, "127.0.0.1:%d" % self.passed, "unix:" + self.socket_path
        loads = [self.load("--clients", "2", "--pause", "5ms", "--expect", "pid ", tcp),
                 self.load("--clients", "2", "--pause", "5ms", "--expect", "pid ", passed),
                 self.load("--clients", "4", "--keep-alive", "--pause", "20ms", "--expect", "pid ", tcp),
                 self.load("--clients", "2", "--pause", "5ms", "--expect", "pid ", unix)]
        flows = Flows(("127.0.0.1", self.port), 40, pause=0.2)
        self.addCleanup(flows.over.set)
        wait_until(lambda: flows.answered() == 40, g.said)
        generation = 3
        # The others are idle sooner or later, and have their drain signal's own limit then.
        whose = {int(generation) for _, generation in held}
        for i in range(UPGRADES):
            before, deadlines = g.status(), self.deadlines(g, whose)
            self.upgraded(g, NEXT if i % 2 == 0 else GRACED)
            after = g.status()
            for what in "pid", "serving", "reloads", "failed_reloads", "restarts", "addresses", "command", "last_exit":
                self.assertEqual(before[what], after[what], what)
            self.assert_deadlines_kept(deadlines, self.deadlines(g, whose))
            for _, old in held:
                self.assertIn(int(old), {w["generation"] for w in after["workers"]}, g.said())
            answer = g.reload()
            self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
            generation += 1
            self.assertEqual(self.answers(), [str(generation)] * 3)
        flows.end()
        self.assertEqual(flows.lost(), 0, "of %d\n%s" % (flows.sent(), g.said()))
        for load in loads:
            report = self.report(load)
            self.assertEqual(report["failed"], 0, "%s\n%s" % (report, g.said()))
            self.assertGreater(report["answered"], UPGRADES)
        self.let_go(held)
        self.only_those_drain(g, set())
        status = g.status()
        self.assertEqual((status["reloads"], status["failed_reloads"], status["restarts"]), (UPGRADES + 2, 0, 0))
        self.assertEqual(g.end(), 0, g.said())
        self.assert_nothing_left(g)


class Often(UpgradeCase):
    def private_memory(self, pid):
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))

    def test_40_upgrades_leave_memory_and_descriptors_as_they_were(self):
        g = self.serving()
        self.upgraded(g, NEXT)
        self.upgraded(g, GRACED)
        before, memory = self.came_to_rest(g), self.private_memory(g.pid)
        for _ in range(19):
            self.upgraded(g, NEXT)
            self.upgraded(g, GRACED)
        self.assert_as_before(g, before)
        self.assertIn("generation 1 ", g.ask())
        if not SANITIZED:
            self.assertLess(self.private_memory(g.pid) - memory, 400, "kB more")
        self.assertEqual(g.end(), 0)

    def test_who_asks_for_the_status_meanwhile_is_answered(self):
        g = self.serving()
        askers = Askers(g)
        try:
            for i in range(20):
                self.upgraded(g, GRACED if i % 2 else NEXT)
        finally:
            askers.end()
        self.assertEqual(askers.wrong, [], "of %d" % askers.asked)
        self.assertGreater(askers.asked, 20)

    def test_an_upgrade_under_load_loses_no_request(self):
        g = self.serving("--workers", "2")
        load = Load("%s:%d" % g.address())
        try:
            for i in range(10):
                self.upgraded(g, GRACED if i % 2 else NEXT)
            report = load.report()
        finally:
            load.close()
        assert_nothing_lost(self, report)


class Unprivileged(UpgradeCase):
    def test_somebody_without_any_capability_upgrades_his_own(self):
        if os.geteuid() == 0:
            g = self.serving(within=("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE), preexec=self.give_to_nobody)
        else:
            g = self.serving()
        for binary in NEXT, GRACED:
            answer = self.upgrade(g, binary)
            self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
            self.assertTrue(os.path.samefile("/proc/%d/exe" % g.pid, binary))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 2 ", g.ask)

    def give_to_nobody(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)


if __name__ == "__main__":
    main()
