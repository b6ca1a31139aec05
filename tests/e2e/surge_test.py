"""A reload with --max-surge: the new workers come in batches, and as many old ones leave before the next batch starts."""
import os, signal, threading
import own_network
from harness import HERE, NOBODY, NO_PRIVILEGE, WORKER, Case, ask, children, for_everybody, main, wait_until
from load import Load, assert_nothing_lost
from own_network import free_port
from schema import assert_valid

BINDER = for_everybody(os.path.join(HERE, "binder.py"))
EVERYBODYS_WORKER = for_everybody(WORKER)
LISTEN = ("-l", "127.0.0.1:0")


def setUpModule():
    own_network.enter()


class Census:
    """The greatest number of processes that graced has had at a time, as /proc shows it, but for copies of itself, which look
    for what the next workers are made of."""

    def __init__(self, pid):
        self.pid, self.most, self.over = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.count)
        self.thread.start()

    def count(self):
        while not self.over.is_set():
            self.most = max(self.most, sum(not self.is_copy(child) for child in children(self.pid)))
            self.over.wait(0.002)

    def is_copy(self, child):
        """Also one that has ended, or is to become a worker."""
        try:
            return os.path.samefile("/proc/%d/exe" % child, "/proc/%d/exe" % self.pid)
        except OSError:
            return True

    def end(self):
        self.over.set()
        self.thread.join()
        return self.most


class Surge(Case):
    def ready(self, g, generation):
        return [w["pid"] for w in g.workers("ready") if w["generation"] == generation]

    def reload_under_load(self, g, address, workers, batch, reloads=2):
        load, census = Load(address), Census(g.pid)
        try:
            for generation in range(2, 2 + reloads):
                r = g.reload()
                self.assertEqual((r.returncode, r.stderr), (0, ""), g.said())
                self.assertEqual(len(self.ready(g, generation)), workers)
                load.next_pid()
            report = load.report()
        finally:
            load.close()
            most = census.end()
        assert_nothing_lost(self, report)
        self.assertGreater(most, workers)
        self.assertLessEqual(most, workers + batch, g.said())

    def test_never_more_workers_than_one_generation_and_one_batch(self):
        g = self.serving("-w", "32", "--max-surge", "4", "--ready-timeout", "5min")
        self.reload_under_load(g, "%s:%d" % g.address(), 32, 4, reloads=1)
        self.assertIn("serves with 7 of 8 batches", g.said())
        self.assertNotIn("serves with 8 of 8 batches", g.said())
        status = g.status()
        self.assertEqual((status["reloads"], status["failed_reloads"], status["batches"]), (1, 0, None))
        self.assertEqual(g.end(), 0)

    def test_an_adopted_port_under_load(self):
        port = free_port()
        g = self.graced("-w", "4", "--max-surge", "25%", "--ready-timeout", "5min", options=(),
                        command=(BINDER, "tcp:127.0.0.1:%d" % port, "ready", "slow"))
        self.reload_under_load(g, "127.0.0.1:%d" % port, 4, 1)
        self.assertEqual(g.end(), 0)

    def unprivileged(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)

    def test_the_same_without_privilege(self):
        port = free_port()
        g = self.graced("-w", "4", "--max-surge", "2", "--ready-timeout", "5min", options=(),
                        command=(BINDER, "tcp:127.0.0.1:%d" % port, "ready"), preexec=self.unprivileged,
                        within=("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE))
        self.reload_under_load(g, "127.0.0.1:%d" % port, 4, 2)

    def test_the_first_batch_is_probed_where_nobody_else_reaches_it(self):
        port = free_port()
        g = self.graced("-w", "4", "--max-surge", "2", "--ready-timeout", "5min", "--probe", "tcp://127.0.0.1:%d" % port,
                        options=("-l", "127.0.0.1:%d" % port), command=(WORKER, "ready", "serve"))
        self.reload_under_load(g, "127.0.0.1:%d" % port, 4, 3)  # graced-probe is a child as well
        self.assertEqual(g.said().count("tcp://127.0.0.1:%d: passed" % port), 3, g.said())  # the start's, and one a reload

    def test_it_comes_and_goes_with_the_configuration(self):
        g = self.serving("-w", "3", "--ready-timeout", "5min", "--config", self.write("t.conf", ""))
        load = Load("%s:%d" % g.address())
        try:
            for generation, lines in enumerate(("", "max-surge = 1\n", "max-surge = 50%\n", "", ""), 2):
                self.write("t.conf", lines)
                r = g.reload()
                self.assertEqual((r.returncode, r.stderr), (0, ""), g.said())
                self.assertEqual(len(self.ready(g, generation)), 3)
                load.next_pid()
            report = load.report()
        finally:
            load.close()
        assert_nothing_lost(self, report)
        self.assertEqual(g.said().count(" of 3 batches, "), 2, g.said())
        self.assertEqual(g.said().count(" of 2 batches, "), 1, g.said())
        self.assertEqual(g.end(), 0)

    def test_the_first_batch_is_the_canary(self):
        port = free_port()
        g = self.graced("-w", "3", "--max-surge", "1", "--ready-timeout", "5min", "--canary", "40%/200ms",
                        options=("-l", "127.0.0.1:%d" % port), command=(WORKER, "ready", "serve"))
        self.reload_under_load(g, "127.0.0.1:%d" % port, 3, 1)
        self.assertIn("serves with 2 of 3 batches", g.said())

    def app(self, how):
        return self.write("app", "#!/bin/sh\nBUILD=%s\nexport BUILD\n%s\nexec %s ready serve\n" % (
            how[0], how[1], EVERYBODYS_WORKER), 0o755)

    def test_a_batch_that_fails_restores_the_old_workers_as_they_were(self):
        g = self.graced("-w", "8", "--max-surge", "2", "--ready-timeout", "5min", "--restart-delay", "1h",
                        command=(self.app(("good", "")),))
        before = self.ready(g, 1)
        self.app(("bad", '[ "$GRACED_WORKER" = 5 ] && exit 3'))
        load, census = Load("%s:%d" % g.address()), Census(g.pid)
        try:
            r = g.reload()
            self.assertEqual(r.returncode, 1, g.said())
            self.assertIn("worker 5 of 8: exited with status 3", r.stderr)
            self.assertIn("generation 1 still serves", r.stderr)
            wait_until(lambda: len(self.ready(g, 1)) == 8 and len(g.workers()) == 8, g.said)
            report = load.report()
        finally:
            load.close()
            most = census.end()
        assert_nothing_lost(self, report)
        self.assertLessEqual(most, 10, g.said())
        self.assertEqual(len(set(before) & set(self.ready(g, 1))), 4)
        for _ in range(8):
            self.assertIn(" build good", g.ask())
        status = g.status()
        self.assertEqual((status["serving"], status["phase"], status["restarts"], status["failed_reloads"]),
                         (1, "serving", 0, 1))
        history = g.run("history").stdout
        self.assertEqual((history.count(" generation 2 failed "), len(history.splitlines())), (1, 2), history)

    def test_a_batch_that_fails_where_the_address_is_adopted(self):
        port = free_port()
        binds = "exec %s tcp:127.0.0.1:%d ready\n" % (BINDER, port)
        self.write("app", "#!/bin/sh\n" + binds, 0o755)
        g = self.graced("-w", "4", "--max-surge", "1", "--ready-timeout", "5min", options=(), command=(self.path("app"),))
        self.write("app", '#!/bin/sh\n[ "$GRACED_WORKER" = 2 ] && exit 3\n' + binds, 0o755)
        load, census = Load("127.0.0.1:%d" % port), Census(g.pid)
        try:
            for _ in range(2):
                r = g.reload()
                self.assertEqual(r.returncode, 1, g.said())
                wait_until(lambda: len(self.ready(g, 1)) == 4 and len(g.workers()) == 4, g.said)
            report = load.report()
        finally:
            load.close()
            most = census.end()
        assert_nothing_lost(self, report)
        self.assertLessEqual(most, 5, g.said())
        self.assertEqual(g.status()["phase"], "serving")

    def waiting(self, *options, workers=4):
        """One of these batches serves, and the old worker whose place it has does not leave."""
        os.environ["LEAVE_FILE"] = self.path("leave")
        self.addCleanup(os.environ.pop, "LEAVE_FILE")
        g = self.serving("-w", str(workers), "--max-surge", "1", "--ready-timeout", "5min", "--drain-timeout", "1h", *options,
                         habits=("ready", "serve-late"))
        self.addCleanup(lambda: self.write("leave", ""))
        self.assertEqual(g.reload("--no-wait").returncode, 0)
        wait_until(lambda: g.status()["batches"] and g.status()["batches"]["serve"] == 1, g.said)
        return g

    def test_status_tells_how_far_it_is(self):
        g = self.waiting()
        self.assertEqual(g.status()["batches"], {"count": 4, "serve": 1, "size": 1, "starting": False, "leaving": 1})
        self.assertRegex(g.run("status").stdout, r"batches +1 of 4 batches of generation 2 serve, 1 worker each; "
                                                 r"the next one waits until 1 worker has left\n")
        g.wait("STATUS=generation 1 serves with 4 workers, 1 of 4 batches of generation 2 serve, "
               "the next one waits until 1 worker has left")
        self.write("leave", "")
        wait_until(lambda: g.status()["serving"] == 2, g.said)

    def test_an_abort_in_between_has_the_old_ones_serve_again(self):
        g = self.waiting()
        r = g.run("abort")
        self.assertEqual(r.returncode, 0, r.stderr)
        # There is no room for another one before one of the two has left that finish what they have.
        wait_until(lambda: g.status()["workers_missing"] == 1, g.said)
        self.assertEqual(assert_valid("status", g.status())["phase"], "degraded")
        self.assertIn("\n  missing      1 worker of generation 1, to be started again when others have left\n", g.run("status").stdout)
        g.wait("1 worker to be started again")
        self.write("leave", "")
        wait_until(lambda: len(self.ready(g, 1)) == 4 and len(g.workers()) == 4, g.said)
        status = g.status()
        self.assertEqual((status["serving"], status["workers_missing"]), (1, 0))

    def test_a_new_worker_that_crashes_in_between_fails_the_reload(self):
        g = self.waiting()
        os.kill(self.ready(g, 2)[0], signal.SIGKILL)
        wait_until(lambda: g.status()["failed_reloads"] == 1, g.said)
        self.write("leave", "")
        wait_until(lambda: len(self.ready(g, 1)) == 4 and len(g.workers()) == 4, g.said)

    def test_a_stop_in_between_ends_both(self):
        g = self.waiting()
        pids = [w["pid"] for w in g.workers()]
        self.write("leave", "")
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g, *pids)

    def test_an_adopted_path_goes_over_with_the_last_batch(self):
        path = self.path("s")
        g = self.graced("-w", "2", "--max-surge", "1", "--ready-timeout", "5min", options=(),
                        command=(BINDER, "unix:" + path, "ready"))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertIn("unix %s leads to one generation at a time: it goes over with the last batch" % path, g.said())
        new = self.ready(g, 2)
        wait_until(lambda: any("pid %d " % p in ask(path) or str(p) in ask(path) for p in new), g.said)

    def test_what_cannot_be_had_is_refused(self):
        self.assert_refused("--max-surge 2 and --probation 1min cannot be had together", "run", "--max-surge", "2",
                            "--probation", "1min", *LISTEN, "--", WORKER, "ready")
        idle = ("--max-surge", "2", "-w", "4", "--drain", "idle", *LISTEN, "--", WORKER, "ready")
        words = "max-surge: all workers of a generation have 127.0.0.1:0 of --listen from one socket"
        self.assert_refused(words, "run", *idle)
        r = self.run_graced("check", *idle)
        self.assertEqual(r.returncode, 2)
        self.assertIn(words, r.stderr)
        for value in "0", "0%", "101%", "2000", "-1", "x", "", "2.5%":
            self.assert_refused("max-surge", "run", "--max-surge", value, *LISTEN, "--", WORKER, "ready")

    def test_check_explains_it(self):
        r = self.run_graced("check", "--max-surge", "25%", "-w", "32", *LISTEN, "--", WORKER, "ready")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("in 4 batches: 8 of 32 workers start, and as many old ones leave when they serve; never more than 40",
                      r.stdout)


if __name__ == "__main__":
    main()
