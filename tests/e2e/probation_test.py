"""A new generation is on probation: the one before stands by, and serves again should it fail or somebody ask for it."""
import os, signal
import own_network
from harness import HERE, NOBODY, NO_PRIVILEGE, PATIENCE, WORKER, Case, ask, for_everybody, main, wait_until
from load import Load, assert_nothing_lost
from own_network import free_port

BINDER = for_everybody(os.path.join(HERE, "binder.py"))
EVERYBODYS_WORKER = for_everybody(WORKER)
LONG = ("--probation", "1h")
LISTEN = ("-l", "127.0.0.1:0")


def setUpModule():
    own_network.enter()


class Probation(Case):
    def pids(self, g, state):
        return [w["pid"] for w in g.workers(state)]

    def reloaded(self, g, said="on probation for "):
        r = g.reload()
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn(said, r.stdout)

    def fails(self, g, pid, good):
        """The worker of the new generation dies: the good one serves again."""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pids(g, "ready") == good, g.said)

    def test_a_build_that_dies_under_load_leaves_the_one_before_which_is_not_started_again(self):
        g = self.serving(*LONG)
        good = self.pids(g, "ready")
        settled = self.reloading(g, "--settled")
        wait_until(lambda: g.status()["standby"] == 1, g.said)
        self.assertEqual(self.pids(g, "standby"), good)
        load = Load("%s:%d" % g.address())
        try:
            self.fails(g, self.pids(g, "ready")[0], good)
            load.next_pid()
            g.wait("STATUS=generation 1 serves with 1 worker; the reload to generation 2 failed: rolled back")
            report = load.report()
        finally:
            load.close()
        self.assertEqual(report["failures"].get("refused", 0), 0, report)
        _, why = settled.communicate(timeout=PATIENCE)
        self.assertEqual(settled.returncode, 1)
        self.assertIn("rolled back: worker 0 killed by SIGKILL", why)
        self.assertIn("generation 1 still serves", why)
        self.assertRegex(g.said(), r"rolled back: worker 0 killed by SIGKILL after \S+; generation 1 serves again")
        status = g.status()
        self.assertEqual((status["serving"], status["standby"], status["rollbacks"], status["restarts"]), (1, None, 1, 0))
        self.assertEqual((status["last_reload"]["generation"], status["last_reload"]["ok"]), (2, False))
        self.assertEqual(g.end(), 0)

    def test_two_bad_builds_in_a_row_fall_back_to_the_good_one(self):
        g = self.serving(*LONG)
        good = self.pids(g, "ready")
        self.reloaded(g)
        self.reloaded(g)
        self.assertEqual((g.status()["serving"], g.status()["standby"]), (3, 1))
        self.fails(g, self.pids(g, "ready")[0], good)
        self.assertIn("generation 1 ", g.ask())
        self.assertEqual(g.end(), 0)

    def to_and_fro(self, g, address, times):
        good = self.pids(g, "ready")
        load = Load(address)
        try:
            for _ in range(times):
                self.reloaded(g)
                load.next_pid()
                r = g.run("rollback")
                self.assertEqual((r.returncode, r.stderr), (0, ""))
                self.assertEqual(self.pids(g, "ready"), good)
            report = load.report()
        finally:
            load.close()
        assert_nothing_lost(self, report)
        self.assertEqual(g.status()["rollbacks"], times)

    def test_by_hand_to_and_fro_under_load(self):
        g = self.serving(*LONG)
        self.to_and_fro(g, "%s:%d" % g.address(), 20)
        self.assertIn("generation 1 ", g.ask())
        self.assertEqual(g.end(), 0)

    def unprivileged(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)

    def test_the_same_without_privilege(self):
        g = self.graced(*LONG, command=(EVERYBODYS_WORKER, "ready", "serve"), preexec=self.unprivileged,
                        within=("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE))
        self.to_and_fro(g, "%s:%d" % g.address(), 3)

    def test_an_adopted_port_and_path(self):
        port, path = free_port(), self.path("s")
        g = self.graced(*LONG, options=(), command=(BINDER, "tcp:127.0.0.1:%d" % port, "unix:" + path, "ready"))
        first = [ask(("127.0.0.1", port)), ask(path)]
        self.reloaded(g)
        second = [ask(("127.0.0.1", port)), ask(path)]
        self.assertNotIn(second[0], first)
        self.assertNotIn(second[1], first)
        self.assertIn("s.g1", os.listdir(self.directory))
        self.assertEqual(g.run("rollback").returncode, 0)
        self.assertEqual([ask(("127.0.0.1", port)), ask(path)], first)
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s.")], [])
        self.reloaded(g)
        self.assertNotIn(ask(path), first)
        self.assertEqual(g.end(), 0)

    def test_when_its_time_is_over_the_one_before_leaves(self):
        g = self.serving("--probation", "1s")
        r = g.reload("--settled")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "t: generation 2 serves\n", ""))
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertIn("has stood its probation", g.said())
        self.assertIsNone(g.status()["standby"])
        r = g.run("rollback")
        self.assertEqual(r.returncode, 1)
        self.assertIn("generation 1 is gone", r.stderr)
        self.assertIn("generation 2 ", g.ask())

    def test_nobody_to_go_back_to(self):
        g = self.serving()
        r = g.run("rollback")
        self.assertEqual((r.returncode, r.stderr), (1, "graced: rollback of 't' failed: no generation served before generation 1\n"))

    def test_who_stands_by_and_crashes_is_missed_only_if_it_is_needed(self):
        g = self.serving(*LONG, "--workers", "2")
        good = self.pids(g, "ready")
        self.reloaded(g)
        os.kill(good[0], signal.SIGKILL)
        wait_until(lambda: self.pids(g, "standby") == good[1:], g.said)
        self.assertEqual(g.run("rollback").returncode, 0)
        wait_until(lambda: len(self.pids(g, "ready")) == 2, g.said)
        self.assertIn(good[1], self.pids(g, "ready"))
        self.reloaded(g)
        for pid in self.pids(g, "standby"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "all workers of generation 1, which stood by, have ended" in g.said(), g.said)
        self.assertIsNone(g.status()["standby"])

    def test_a_stop_ends_both(self):
        g = self.serving(*LONG)
        self.reloaded(g)
        pids = [w["pid"] for w in g.workers()]
        self.assertEqual(len(pids), 2)
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g, *pids)

    def test_status_tells_of_it(self):
        g = self.serving(*LONG)
        self.reloaded(g)
        g.wait("STATUS=generation 2 serves with 1 worker, on probation, generation 1 stands by")
        self.assertRegex(g.run("status").stdout, r"probation +generation 2 on probation for \S+.*, generation 1 stands by")
        self.assertGreater(g.status()["probation_s"], 0)

    def test_what_both_would_accept_from_is_refused(self):
        path = self.path("s")
        words = "probation: unix:%s of --listen is shared by all generations" % path
        self.assert_refused(words, "run", *LONG, "-l", "unix:" + path, "--", WORKER, "ready")
        r = self.run_graced("check", *LONG, "-l", "unix:" + path, "--", WORKER, "ready")
        self.assertEqual(r.returncode, 2)
        self.assertIn(words, r.stderr)
        self.assert_refused("probation", "run", "--probation", "infinity", *LISTEN, "--", WORKER)
        self.assert_refused("--settled and --no-wait", "reload", "--settled", "--no-wait")


if __name__ == "__main__":
    main()
