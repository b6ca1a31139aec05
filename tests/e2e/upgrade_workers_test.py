"""Workers of a graced that is upgraded: what they write is told once and whole however slow its reader is, what they leave
behind finishes, and those of an earlier graced still leave in time."""
import os, re, select, signal
import own_network
from harness import GRACED, PATIENCE, WORKER, alive, main, wait_until
from output_test import Output
from survivors_test import WithSurvivors
from tree_test import Held, Tree
from upgrading import NEXT, UpgradeCase


def setUpModule():
    own_network.enter()


class LeftBehind(Tree, UpgradeCase):
    def test_a_server_below_a_shell_that_has_ended_finishes_its_request(self):
        g = self.below_a_shell()
        held = Held(self, g.address())
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: self.finishing(g), g.said)
        before = self.came_to_rest(g)
        self.upgraded(g)
        self.assert_as_before(g, before)
        self.finishes(g, held)
        self.soon("generation 2", g.ask)
        self.assertNotIn("is hammered", g.said())

    def test_a_shell_that_ends_afterwards_leaves_a_server_that_finishes(self):
        g = self.below_a_shell("--drain-timeout", "1h")
        held = Held(self, g.address())
        self.upgraded(g)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.finishes(g, held)

    def test_what_the_server_needs_to_finish_is_told_when_that_has_finished(self):
        """Who reads its output waits to hear the drain signal until nobody has clients any more."""
        g = self.below_a_shell(script="#!/bin/sh\n%%s | cat >%s\ntrue\n" % self.path("output"))
        held = Held(self, g.address())
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: self.finishing(g), g.said)
        self.upgraded(g)
        self.write("go", "")
        self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
        wait_until(lambda: not g.workers("draining"), g.said)
        with open(self.path("output")) as f:
            self.assertEqual(f.read(), "answered\n")

    def test_at_the_deadline_what_is_left_is_hammered(self):
        g = self.below_a_shell("--drain-timeout", "20s")
        held = Held(self, g.address())
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: self.finishing(g), g.said)
        before = self.deadlines(g)
        self.upgraded(g)
        self.assert_deadlines_kept(before, self.deadlines(g) or before)
        wait_until(lambda: not alive(held.pid), g.said)
        wait_until(lambda: not g.workers("draining") + g.workers("killed"), g.said)
        self.assertEqual(g.said().count("is hammered"), 1, g.said())


class OfAnEarlierGraced(WithSurvivors, UpgradeCase):
    def test_a_survivor_is_shown_as_before_and_killed_when_the_time_of_a_stop_is_over(self):
        worker = self.survivor("ready", "serve-late")
        g = self.next_graced("--stop-timeout", "2s", "--drain-timeout", "1h")
        wait_until(lambda: self.shown(g, worker)["state"] == "draining", g.said)
        before, deadlines = self.came_to_rest(g), self.deadlines(g)
        self.upgraded(g)
        self.assert_as_before(g, before)
        self.assert_deadlines_kept(deadlines, self.deadlines(g))
        g.signal(signal.SIGTERM)
        wait_until(lambda: self.reaped(worker), g.said)
        self.assertEqual(g.end(None), 0)
        self.assertEqual(g.said().count("is hammered"), 1)

    def test_a_survivor_that_ends_is_gone_and_not_told_to_leave_twice(self):
        worker = self.survivor("ready", "serve-late")
        g = self.next_graced("--drain-timeout", "1h")
        wait_until(lambda: self.shown(g, worker)["state"] == "draining", g.said)
        self.upgraded(g)
        self.write("leave", "")
        wait_until(lambda: self.reaped(worker), g.said)
        wait_until(lambda: self.shown(g, worker) is None, g.said)
        self.assertEqual(g.said().count("is draining, at most"), 1, g.said())
        self.assertIn("has ended", g.said())
        self.assertEqual(g.end(), 0)

    def test_the_server_behind_a_script_that_survived_finishes(self):
        script = self.write("start", '#!/bin/sh\n"%s" ready serve-late\ntrue\n' % WORKER, 0o755)
        shell = self.survivor(command=(script,))
        with open("/proc/%d/task/%d/children" % (shell, shell)) as f:
            server = int(f.read())
        self.addCleanup(self.end, server)
        g = self.next_graced("--drain-timeout", "1h")
        wait_until(lambda: self.reaped(shell), g.said)  # of the drain signal
        wait_until(lambda: self.shown(g, server), g.said)
        self.upgraded(g)
        self.assertIn("of the graced before finishes", self.shown(g, server)["waits_for"])
        self.assertTrue(alive(server))
        self.write("leave", "")
        wait_until(lambda: self.reaped(server), g.said)
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertNotIn("is hammered", g.said())


class SlowReader(Output, UpgradeCase):
    NUMBERED = """
n.send(b"READY=1")
for i in range(3000):
    os.write(1, b"%06d " % i + b"y" * 992 + b"\\n")
n.send(b"STATUS=done")
signal.pause()
"""

    def unread(self, *options, **more):
        """graced that writes to a pipe, and the end of that which nobody reads yet."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        g = self.script(self.NUMBERED, *options, preexec=lambda: os.dup2(writer, 1), pass_fds=(writer,), **more)
        os.close(writer)
        return g, reader

    def all_of(self, reader, lines):
        told = b""
        while told.count(b"\n") < lines:
            self.assertTrue(select.select([reader], [], [], PATIENCE)[0], told[-2000:])
            told += os.read(reader, 65536)
        return told.split(b"\n")

    def test_all_lines_come_in_their_order_although_nobody_read_when_it_was_upgraded(self):
        g, reader = self.unread("--stdout", "watch", output="plain")
        self.upgraded(g)
        self.upgraded(g)
        *lines, end = self.all_of(reader, 3000)
        self.assertEqual(end, b"")
        self.assertEqual(lines, [b"%06d " % i + b"y" * 992 for i in range(3000)])
        wait_until(lambda: g.workers()[0]["status"] == "done", g.said)

    def test_what_was_dropped_meanwhile_is_counted_to_the_line(self):
        g, reader = self.unread()
        wait_until(lambda: g.workers()[0]["status"] == "done", g.said)  # a second later it waits for nobody
        self.upgraded(g)
        self.assertNotIn("were dropped", g.said())
        told = b""
        while not (dropped := re.search(r"warning (\d+) lines of workers were dropped", g.said())):
            if select.select([reader], [], [], 0.05)[0]:
                told += os.read(reader, 65536)
        while told.count(b"\n") + int(dropped[1]) < 3000:
            self.assertTrue(select.select([reader], [], [], PATIENCE)[0], "%d told, %s dropped" % (told.count(b"\n"), dropped[1]))
            told += os.read(reader, 65536)
        for line in told.split(b"\n")[:-1]:
            self.assertRegex(line, rb"^generation 1, worker 0, PID \d+: \d{6} y{992}$")
        self.assertEqual(told.count(b"\n") + int(dropped[1]), 3000)
        self.assertEqual(g.said().count("were dropped"), 1)

    def test_workers_that_write_all_the_time_lose_no_line_and_none_is_told_twice(self):
        g = self.script("""
n.send(b"READY=1")
i = 0
while not os.path.exists(os.environ["STOP_FILE"]):
    line = b"%07d %s\\n" % (i, b"x" * (i % 300))
    i += 1
    while line:  # in pieces: one is always unfinished
        line = line[os.write(1, line[:1 + i % 200]):]
n.send(b"STATUS=%d" % i)
signal.pause()
""", "--stdout", "watch", output="plain", env={"STOP_FILE": self.path("stop")})
        for image in NEXT, GRACED, NEXT, NEXT:
            self.upgraded(g, image)
        self.write("stop", "")
        wait_until(lambda: g.workers()[0]["status"], g.said)
        many = int(g.workers()[0]["status"])
        wait_until(lambda: self.text().count(b"\n") == many, lambda: "%d" % many)
        self.assertEqual(self.text().splitlines(), [b"%07d %s" % (i, b"x" * (i % 300)) for i in range(many)])


if __name__ == "__main__":
    main()
