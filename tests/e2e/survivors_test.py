"""Workers that outlive a graced that is killed, and the graced that its manager starts next: here the test is the
manager, to which they fall."""
import ctypes, os, signal

from harness import Case, Graced, WORKER, alive, main, wait_until

PR_SET_CHILD_SUBREAPER = 36


class WithSurvivors(Case):
    def setUp(self):
        super().setUp()
        self.reap_orphans(1)
        self.addCleanup(self.reap_orphans, 0)
        os.mkdir(self.path("next"))
        self.leave = self.path("leave")

    def reap_orphans(self, on):
        self.assertEqual(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0), 0)

    def survivor(self, *habits, command=None):
        """Of a graced that was killed."""
        first = self.graced("--stderr", "inherit", "--ready", "notify", command=command or (WORKER, *habits), env={"LEAVE_FILE": self.leave})
        worker = first.workers()[0]["pid"]
        self.addCleanup(self.end, worker)
        first.process.kill()
        first.process.wait()
        self.assertTrue(alive(worker))
        return worker

    def end(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass

    def next_graced(self, *options, command=(WORKER, "ready", "serve")):
        g = Graced(self.path("next"), *options, command=command)
        self.addCleanup(g.close)
        self.assertIn("has survived the graced before", g.said())
        return g

    def shown(self, g, pid):
        return next((w for w in g.workers() if w["pid"] == pid), None)

    def reaped(self, pid):
        """As a manager does."""
        return os.waitpid(pid, os.WNOHANG)[0] == pid


class Survivors(WithSurvivors):
    def test_a_survivor_finishes_what_it_has_while_the_next_graced_stops(self):
        worker = self.survivor("ready", "serve-late")
        g = self.next_graced()
        shown = self.shown(g, worker)
        self.assertEqual(shown["state"], "draining")
        self.assertEqual(shown["waits_for"], "of the graced before finishes")
        self.assertEqual(shown["then"], "killed")
        self.assertLess(shown["left_s"], 60)
        g.signal(signal.SIGTERM)
        wait_until(lambda: [w["pid"] for w in g.workers()] == [worker], g.said)
        self.assertEqual(g.status()["phase"], "stopping")
        self.assertLess(self.shown(g, worker)["left_s"], 30)  # what a stop may take
        self.assertTrue(alive(worker))
        self.write("leave", "")
        wait_until(lambda: self.reaped(worker), g.said)
        self.assertEqual(g.end(None), 0)
        self.assertNotIn("is hammered", g.said())

    def test_a_survivor_that_does_not_finish_is_killed_when_the_time_of_a_stop_is_over(self):
        worker = self.survivor("ready", "serve-late")
        g = self.next_graced("--stop-timeout", "500ms", "--drain-timeout", "1h")
        g.signal(signal.SIGTERM)
        wait_until(lambda: self.reaped(worker), g.said)
        self.assertEqual(g.end(None), 0)
        self.assertEqual(g.said().count("is hammered"), 1)

    def test_a_second_stop_does_not_wait_for_a_survivor(self):
        worker = self.survivor("ready", "serve-late")
        g = self.next_graced()
        g.signal(signal.SIGTERM)
        wait_until(lambda: g.status()["phase"] == "stopping", g.said)
        g.signal(signal.SIGTERM)
        wait_until(lambda: self.reaped(worker), g.said)
        self.assertEqual(g.end(None), 0)

    def test_the_server_behind_a_script_that_survived_finishes_during_a_stop(self):
        script = self.write("start", '#!/bin/sh\n"%s" ready serve-late\ntrue\n' % WORKER, 0o755)
        shell = self.survivor(command=(script,))
        with open("/proc/%d/task/%d/children" % (shell, shell)) as f:
            server = int(f.read())
        self.addCleanup(self.end, server)
        g = self.next_graced()
        wait_until(lambda: self.reaped(shell), g.said)  # of the drain signal
        g.signal(signal.SIGTERM)
        wait_until(lambda: [w["pid"] for w in g.workers()] == [server], g.said)
        self.assertIn("PID %d" % server, self.shown(g, server)["waits_for"])
        self.assertIn("of the graced before finishes", self.shown(g, server)["waits_for"])
        self.assertTrue(alive(server))
        self.write("leave", "")
        wait_until(lambda: self.reaped(server), g.said)
        self.assertEqual(g.end(None), 0)
        self.assertNotIn("is hammered", g.said())

    def test_a_stop_before_the_next_generation_serves_tells_the_survivor_to_leave(self):
        worker = self.survivor("ready", "serve")
        g = Graced(self.path("next"), "--ready", "notify", command=("/bin/sleep", "1000"), wait=False)
        self.addCleanup(g.close)
        wait_until(lambda: os.path.exists(g.control), g.said)
        wait_until(lambda: g.run("status").returncode == 0, g.said)
        self.assertEqual(self.shown(g, worker)["state"], "ready")
        self.assertEqual(self.shown(g, worker)["waits_for"], "of the graced before serves")
        g.signal(signal.SIGTERM)
        wait_until(lambda: self.reaped(worker), g.said)
        self.assertEqual(g.end(None), 0)
        self.assertNotIn("is hammered", g.said())


if __name__ == "__main__":
    main()
