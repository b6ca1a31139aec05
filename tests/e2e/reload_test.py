"""A reload is a transaction: a new generation serves, or nothing has changed and the asker knows why."""
import os, signal, subprocess
from harness import PATIENCE, Case, WORKER, alive, descriptors, main, wait_for_no_more_descriptors, wait_until


class Reload(Case):
    def test_the_new_generation_answers_and_the_old_one_is_gone(self):
        g = self.serving()
        self.assertIn("generation 1 ", g.ask())
        old = g.workers()[0]["pid"]
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr)
        self.soon("generation 2 ", lambda: g.ask())
        wait_until(lambda: not alive(old))
        self.assertEqual(g.status()["pid"], g.pid)
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g)

    def test_a_sighup_is_a_reload(self):
        g = self.serving()
        g.signal(signal.SIGHUP)
        g.wait("RELOADING=1")
        g.wait("READY=1")
        self.soon("generation 2 ", lambda: g.ask())

    def test_the_manager_hears_reloading_with_the_time_and_ready_after_it(self):
        g = self.serving()
        g.reload()
        g.wait("READY=1")
        reloading = [m for m in g.manager.heard if "RELOADING=1" in m]
        self.assertEqual(len(reloading), 1)
        self.assertRegex(reloading[0], r"MONOTONIC_USEC=\d+")

    def test_a_hundred_hups_in_a_burst_cost_at_most_two_reloads(self):
        g = self.serving()
        for _ in range(100):
            g.signal(signal.SIGHUP)
        g.wait("RELOADING=1")
        wait_until(lambda: (lambda s: s["phase"] == "serving" and not s["reload_queued"])(g.status()))
        self.assertLessEqual(g.status()["serving"], 3)
        self.assertGreaterEqual(g.status()["serving"], 2)

    def test_everybody_who_asks_during_a_reload_gets_an_answer(self):
        gate = self.path("gate")
        os.mkfifo(gate)
        script = self.write("app", '#!/bin/sh\n[ "$GRACED_GENERATION" != 2 ] || cat "%s"\nexec "%s" ready serve\n' % (gate, WORKER), 0o755)
        g = self.graced("--ready-timeout", "1h", command=(script,))
        asking = []
        for asked in range(1, 6):
            asking.append(subprocess.Popen([*g.command[:1], "reload", "--control", g.control], stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, text=True))
            wait_until(lambda: g.said().count("reload asked at the control socket") == asked, g.said)
        self.assertTrue(g.status()["reload_queued"])
        self.assertEqual([p.poll() for p in asking], [None] * 5)
        open(gate, "w").close()
        said = [p.communicate(timeout=PATIENCE) for p in asking]
        self.assertEqual([p.returncode for p in asking], [0] * 5, said)
        self.assertIn("generation 2 serves", said[0][0])
        for out, _ in said[1:]:  # they may have asked for the sake of what the first candidate had read too early
            self.assertIn("generation 3 serves", out)
        self.assertEqual(g.status()["serving"], 3)

    def test_four_workers_are_replaced_by_four(self):
        g = self.serving("-w", "4")
        old = {w["pid"] for w in g.workers("ready")}
        self.assertEqual(len(old), 4)
        self.assertEqual(g.reload().returncode, 0)
        new = {w["pid"] for w in g.workers("ready")}
        self.assertEqual(len(new), 4)
        self.assertFalse(old & new)
        for pid in old:
            wait_until(lambda: not alive(pid))

    def test_nothing_has_grown_after_two_hundred_reloads(self):
        g = self.serving()
        for _ in range(3):
            self.assertEqual(g.reload().returncode, 0)
        quiet = lambda: len(g.workers()) == 1
        wait_until(quiet)
        before = descriptors(g.pid)
        for _ in range(200):
            g.signal(signal.SIGHUP)
            g.wait("RELOADING=1")
            g.wait("READY=1")
        wait_until(quiet)
        wait_for_no_more_descriptors(g.pid, before)
        with open("/proc/%d/task/%d/children" % (g.pid, g.pid)) as f:
            self.assertEqual(len(f.read().split()), 1)


class FailedReload(Case):
    """The serving generation is untouched, the asker gets 1 and a reason that names the cause."""

    def fails(self, g, *words):
        before = g.workers("ready")
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        for word in words:
            self.assertIn(word, r.stderr)
        self.assertEqual([w["pid"] for w in g.workers("ready")], [w["pid"] for w in before])
        self.assertIn("generation 1 ", g.ask())
        g.wait("READY=1")
        status = g.status()
        self.assertEqual(status["serving"], 1)
        self.assertFalse(status["last_reload"]["ok"])
        for word in words[:1]:
            self.assertIn(word, status["last_reload"]["why"])
            g.manager.pending()
            self.assertTrue(any("STATUS=" in m and word in m for m in g.manager.heard), g.manager.heard)
        return r.stderr

    def script(self, options=()):
        """A worker whose command is a file that the test can change."""
        path = self.write("server", '#!/bin/sh\nexec "%s" ready serve\n' % WORKER, 0o755)
        return path, self.graced(*options, command=(path,))

    def test_missing_binary(self):
        path, g = self.script()
        os.remove(path)
        self.fails(g, "exec %s: No such file or directory" % path)

    def test_not_executable(self):
        path, g = self.script()
        os.chmod(path, 0o644)
        self.fails(g, "exec %s: Permission denied" % path, "chmod +x")

    def test_missing_interpreter(self):
        path, g = self.script()
        self.write("server", "#!/no/such/interpreter\n", 0o755)
        self.fails(g, "No such file or directory", "interpreter")

    def test_exits_at_once_and_its_last_words_are_told(self):
        g = self.switchable()
        self.become("say=config.yml:3:_unknown_key", "exit=3")
        self.assertIn("config.yml:3:_unknown_key", self.fails(g, "exited with status 3"))

    def test_exits_after_a_while(self):
        g = self.switchable()
        self.become("sleep=2", "exit=4")
        self.fails(g, "exited with status 4")

    def test_never_ready(self):
        g = self.switchable(*self.ready_within("10min"))
        self.ready_within("1s")
        self.become("serve")
        self.fails(g, "not ready within 1s")

    def test_killed_by_a_signal(self):
        g = self.switchable()
        self.become("die=SEGV")
        self.fails(g, "killed by SIGSEGV")

    def test_ready_from_a_process_that_is_not_the_workers(self):
        g = self.switchable(*self.ready_within("10min"))
        self.ready_within("15s")
        self.become("write=%s:{env:NOTIFY_SOCKET}" % self.path("socket"), "serve")
        reload = subprocess.Popen([g.command[0], "reload", "--control", g.control], stderr=subprocess.PIPE, text=True)
        self.addCleanup(reload.wait)
        wait_until(lambda: os.path.exists(self.path("socket")) and os.path.getsize(self.path("socket")))
        with open(self.path("socket")) as f:
            path = f.read().strip()
        # It stays until it was heard, so that it can be told whose it is not.
        stranger = subprocess.Popen([WORKER, "ready-and-barrier", "serve"], env={"NOTIFY_SOCKET": path})
        self.addCleanup(lambda: (stranger.terminate(), stranger.wait()))
        _, said = reload.communicate(timeout=PATIENCE)
        self.assertEqual(reload.returncode, 1)
        self.assertIn("not ready within 15s", said)
        self.assertIn("no process of the worker's", said)
        self.assertIn("generation 1 ", g.ask())

    def test_ready_and_dead_in_the_same_millisecond(self):
        g = self.switchable()
        for end in ("exit=1", "die=KILL"):
            with self.subTest(end):
                self.become("ready", end)
                for _ in range(10):
                    before = g.workers("ready")[0]["pid"]
                    r = g.reload()
                    self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
                    self.assertIn("right after READY=1", r.stderr)
                    self.assertEqual(g.workers("ready")[0]["pid"], before)

    def test_one_of_four_fails(self):
        g = self.switchable("-w", "4", "--ready-timeout", "10min")
        script = '#!/bin/sh\n[ "$GRACED_GENERATION$GRACED_WORKER" = 22 ] && exit 9\nexec "%s" ready serve\n' % WORKER
        self.write("app", script, 0o755)
        self.fails(g, "exited with status 9", "worker 2 of 4")

    def test_a_failed_candidate_is_thrown_away_and_not_said_to_drain(self):
        g = self.switchable(*self.ready_within("10min"), "--drain-timeout", "infinity")
        self.ready_within("6s")
        self.become("deaf", "serve")
        self.fails(g, "not ready within 6s")
        failed = g.workers("leaving")
        self.assertEqual([w["generation"] for w in failed], [2])
        self.assertEqual(g.workers("draining"), [])
        self.assertIn("leaving", g.run("status").stdout)
        self.assertIn("is thrown away: told to leave, and waited for as long as it takes", g.said())
        self.assertNotIn("is draining", g.said())
        self.assertIn("1 of a failed generation leaving", "".join(g.manager.pending()))
        self.assertEqual(g.run("hammer").stdout, "t: hammered 1 worker\n")

    def test_the_next_reload_after_a_failed_one_works(self):
        g = self.switchable()
        self.become("exit=3")
        self.fails(g, "exited with status 3")
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 3 ", lambda: g.ask())

    def test_check_says_no(self):
        check = self.write("check", '#!/bin/sh\necho "the port is not a number" >&2\nexit 7\n', 0o755)
        g = self.switchable("--check", check)
        self.assertIn("the port is not a number", self.fails(g, "check: exited with status 7"))

    def test_check_says_yes_in_the_candidates_environment(self):
        out = self.path("out")
        check = self.write("check", '#!/bin/sh\necho "$BUILD $GRACED_GENERATION" > %s\n' % out, 0o755)
        g = self.switchable("--check", check, "--env", "BUILD=b1")
        self.assertEqual(g.reload().returncode, 0)
        with open(out) as f:
            self.assertEqual(f.read(), "b1 2\n")

    def test_check_that_hangs_is_ended(self):
        check = self.write("check", '#!/bin/sh\nexec sleep 1000\n', 0o755)
        g = self.switchable("--check", check, "--ready-timeout", "20s")
        self.fails(g, "not prepared within 20s")
        self.assertEqual(g.end(), 0)

    def test_a_stop_during_a_check_does_not_say_that_nobody_serves(self):
        check = self.write("check", '#!/bin/sh\nexec sleep 1000\n', 0o755)
        g = self.switchable("--check", check, "--ready-timeout", "infinity")
        g.signal(signal.SIGHUP)
        wait_until(lambda: g.status()["check"], g.said)
        self.assertEqual(g.end(), 0)
        self.assertRegex(g.said(), r"generation 2: failed: graced is stopping\n")
        self.assertNotIn("no worker of generation", g.said())


class Readiness(Case):
    def test_a_worker_that_says_nothing_is_ready_when_it_waits_for_connections(self):
        g = self.serving(habits=("serve",))
        self.assertIn("generation 1 ", g.ask())
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 2 ", lambda: g.ask())

    def test_once_ready_was_said_it_must_be_said(self):
        g = self.switchable(*self.ready_within("10min"))
        self.ready_within("1s")
        self.become("serve")
        self.assertEqual(g.reload().returncode, 1)

    def test_notify_does_not_take_listening_for_ready(self):
        r = self.run_graced("run", "--name", "n", "--control", self.path("c"), "-l", "127.0.0.1:0", "--ready", "notify",
                            "--ready-timeout", "1s", "--", WORKER, "serve")
        self.assertEqual(r.returncode, 1)
        self.assertIn("not ready within 1s", r.stderr)

    def test_after_a_time(self):
        g = self.serving("--ready", "after:50ms", habits=("serve",))
        self.assertEqual(g.reload().returncode, 0)

    def test_ready_said_by_a_child_of_the_worker(self):
        g = self.serving("--ready", "notify", habits=("ready-by-helper", "serve"))
        self.assertIn("generation 1 ", g.ask())

    def test_a_slow_starter_may_ask_for_more_time(self):
        g = self.switchable(*self.ready_within("10min"))
        self.ready_within("12s")
        self.become("extend=300", "sleep=13", "ready", "serve")
        self.assertEqual(g.reload().returncode, 0)

    def test_a_flood_of_nonsense_changes_nothing(self):
        g = self.serving(habits=("flood=2000", "status=still_here", "ready", "serve"))
        self.assertEqual(g.workers()[0]["status"], "still_here")
        self.assertEqual(g.reload().returncode, 0)


if __name__ == "__main__":
    main()
