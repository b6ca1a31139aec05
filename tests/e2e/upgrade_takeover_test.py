"""graced is upgraded while a server that it has taken over leaves: the server and its clients notice nothing of that, and it
leaves as it would have."""
import os
import own_network
from harness import GRACED, alive, ask, main, wait_until
from own_network import free_port
from takeover_test import TakeoverCase
from upgrading import NEXT, UpgradeCase

IDLE = "(1 idle)"  # which a quiet connection becomes by itself, and is then until the end


def setUpModule():
    own_network.enter()


class Taken(TakeoverCase, UpgradeCase):
    def taken(self, port, old, *options, waits_for=""):
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid), *options))
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        wait_until(lambda: any(waits_for in w["waits_for"] for w in self.shown_of(g, old)), g.said)
        return g

    def shown_of(self, g, old):
        return [w for w in g.workers("draining") if (w["generation"], w["pid"]) == (0, old.pid)]

    def upgraded_as_before(self, g, images=(NEXT, GRACED)):
        for image in images:
            before, deadlines = self.came_to_rest(g), self.deadlines(g)
            self.upgraded(g, image)
            self.assert_as_before(g, before)
            self.assert_deadlines_kept(deadlines, self.deadlines(g))

    def test_a_server_in_the_middle_of_an_answer_finishes_it_and_leaves(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        busy = self.talk(("127.0.0.1", port))
        self.assertIn("generation 0", busy.said())
        busy.socket.sendall(b"GET / HTTP/1.1\r\n")  # the rest comes later
        g = self.taken(port, old)
        self.upgraded_as_before(g)
        busy.socket.sendall(b"Host: x\r\n\r\n")
        self.assertIn("generation 0", busy.answer())
        self.assertIsNone(old.poll())
        busy.close()
        self.is_gone(old, g)
        wait_until(lambda: [w["generation"] for w in g.workers()] == [1], g.said)
        self.assertEqual([e["event"] for e in self.history(g)].count("taken"), 1)
        self.assertNotIn("SIGKILL", g.said())
        for generation in 2, 3:
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertIn("generation %d" % generation, ask(("127.0.0.1", port)))

    def test_the_command_that_ends_it_is_run_once_and_knows_what_for(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        busy = self.talk(("127.0.0.1", port))
        self.assertIn("generation 0", busy.said())
        stop = self.write("stop", '#!/bin/sh\necho "$GRACED_EVENT $1" >>"%s"\nkill -INT $1\n' % self.path("stopped"), 0o755)
        g = self.taken(port, old, "--take-stop", "%s %d" % (stop, old.pid), waits_for=IDLE)
        self.upgraded_as_before(g)
        busy.close()
        self.is_gone(old, g)
        with open(self.path("stopped")) as f:
            self.assertEqual(f.read(), "taken %d\n" % old.pid)
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_who_was_told_before_an_upgrade_is_not_told_again_when_it_has_ended(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        told = self.path("told")
        stop = self.write("stop", '#!/bin/sh\necho leave >>"%s"\n' % told, 0o755)
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid), "--take-stop", stop))
        wait_until(lambda: os.path.exists(told), g.said)
        self.upgraded_as_before(g)
        old.kill()
        self.is_gone(old, g)
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertEqual(g.end(), 0, g.said())  # after all commands
        with open(told) as f:
            self.assertEqual(f.read(), "leave\n")

    def test_what_it_has_started_leaves_with_it(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port, "fork")
        busy = self.talk(("127.0.0.1", port))
        child = int(busy.said().split()[1])
        self.assertNotEqual(child, old.pid)
        g = self.taken(port, old, waits_for=IDLE)
        self.upgraded_as_before(g)
        busy.close()
        self.is_gone(old, g)
        wait_until(lambda: not alive(child), g.said)
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_one_that_does_not_leave_is_killed_at_its_time(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        busy = self.talk(("127.0.0.1", port))
        self.assertIn("generation 0", busy.said())
        g = self.taken(port, old, "--drain-timeout", "20s", waits_for=IDLE)
        self.upgraded(g)
        self.is_gone(old, g)
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertEqual(busy.socket.recv(100), b"")

    def test_one_that_ends_by_itself_is_gone(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        busy = self.talk(("127.0.0.1", port))
        self.assertIn("generation 0", busy.said())
        g = self.taken(port, old, "--drain-timeout", "1h", waits_for=IDLE)
        self.upgraded_as_before(g, (NEXT,))
        old.kill()
        old.wait()
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertIn("has ended", g.said())

    def test_under_load_nobody_notices(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        loads, idle = self.loads(port)
        g = self.taken(port, old, "--drain-idle", "2s")
        for image in NEXT, GRACED, NEXT:
            self.upgraded(g, image)
        for connection in idle:
            self.assertEqual(connection.socket.recv(100), b"", g.said())  # not ECONNRESET
        self.is_gone(old, g)
        for generation in 2, 3:
            self.upgraded(g)
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.assertIn("generation %d" % generation, ask(("127.0.0.1", port)))
        self.assert_no_hard_failure(loads, g)


if __name__ == "__main__":
    main()
