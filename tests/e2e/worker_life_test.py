"""Crashes, drains, hammers and stops, as an operator sees them."""
import os, re, signal, subprocess
from harness import PATIENCE, Case, WORKER, alive, main, wait_until


class Crash(Case):
    def test_a_killed_worker_is_replaced(self):
        g = self.serving("--restart-delay", "10ms")
        first = g.workers()[0]["pid"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != first])
        self.assertIn("generation 1 ", g.ask())
        self.assertEqual(g.status()["restarts"], 1)

    def test_a_crash_loop_is_given_up_with_the_reason(self):
        g = self.switchable("--restart-delay", "10ms", "--start-limit", "4/60s")
        self.become("exit=5")
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        self.assertEqual(g.end(signo=None), 1)
        self.assertRegex(g.said(), r"5 unexpected exits within 1min, giving up; the last worker exited with status 5")
        self.assert_nothing_left(g)

    def test_delays_double(self):
        times, broken = self.path("times"), self.path("broken")
        script = self.write("app", '#!/bin/sh\n[ -e "%s" ] || exec "%s" ready serve\ndate +%%s%%N >> "%s"\nexit 1\n'
                            % (broken, WORKER, times), 0o755)
        g = self.graced("--restart-delay", "100ms", "--start-limit", "4/60s", command=(script,))
        self.write("broken", "")
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        self.assertEqual(g.end(signo=None), 1)
        with open(times) as f:
            stamps = [int(line) for line in f]
        gaps = [(b - a) / 1e9 for a, b in zip(stamps, stamps[1:])]
        self.assertEqual(len(gaps), 3)
        for gap, at_least in zip(gaps, (0.2, 0.4, 0.8)):
            self.assertGreaterEqual(gap, at_least * 0.99)

    def test_restart_never_ends_with_the_workers_own_status(self):
        for end, status in (("exit=7", 7), ("die=TERM", 128 + signal.SIGTERM)):
            with self.subTest(end):
                r = self.run_graced("run", "--name", "n", "--control", self.path("c"), "--restart", "never", "--ready",
                                    "after:50ms", "--", WORKER, "sleep=0.3", end)
                self.assertEqual(r.returncode, status, r.stderr)

    def test_restart_on_failure_leaves_a_clean_exit_alone(self):
        r = self.run_graced("run", "--name", "n", "--control", self.path("c"), "--restart", "on-failure", "--ready",
                            "after:50ms", "--", WORKER, "sleep=0.3", "exit=0")
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_the_first_start_fails_with_the_reason(self):
        r = self.run_graced("run", "--name", "n", "--control", self.path("c"), "--", WORKER, "exit=3")
        self.assertEqual(r.returncode, 1)
        self.assertIn("exited with status 3", r.stderr)

    def test_a_worker_that_says_stopping_is_replaced_before_it_is_gone(self):
        again = self.path("again")
        script = self.write("app", '#!/bin/sh\n[ -e "%s" ] && exec "%s" ready serve\ntouch "%s"\nexec "%s" deaf ready stopping sleep=1000\n'
                            % (again, WORKER, again, WORKER), 0o755)
        # Its READY=1 is to be believed though nobody waits for connections.
        g = self.graced("--restart-delay", "10ms", "--ready", "notify", command=(script,))
        first = wait_until(lambda: g.workers("draining"))[0]["pid"]
        wait_until(lambda: g.workers("ready"))
        self.assertTrue(alive(first))


class Drain(Case):
    def test_a_deaf_worker_and_its_children_are_gone_at_the_drain_timeout(self):
        for kind in ("deaf", "daemon"):
            with self.subTest(kind):
                children = self.path("children-" + kind)
                g = self.switchable("--drain-timeout", "500ms", "--env", "CHILD_FILE=" + children, name="d" + kind,
                                    habits=("deaf", "child=" + kind, "ready", "serve"))
                old = g.workers()[0]["pid"]
                with open(children) as f:
                    child = int(f.read())
                self.assertTrue(alive(child))
                self.become("ready", "serve")
                self.assertEqual(g.reload().returncode, 0)
                wait_until(lambda: not alive(old))
                wait_until(lambda: not alive(child))
                self.assertEqual(g.end(), 0)

    def test_the_children_of_a_worker_that_left_in_time_have_its_time_and_no_more(self):
        for kind in ("deaf", "daemon"):
            with self.subTest(kind):
                children = self.path("children-" + kind)
                g = self.switchable("--drain-timeout", "500ms", "--env", "CHILD_FILE=" + children, name="l" + kind,
                                    habits=("child=" + kind, "ready", "serve"))
                with open(children) as f:
                    child = int(f.read())
                self.become("ready", "serve")
                self.assertEqual(g.reload().returncode, 0)
                wait_until(lambda: not alive(child))
                self.assertEqual(g.end(), 0)

    def test_hammer_and_usr2_end_it_now(self):
        g = self.serving("--drain-timeout", "infinity", habits=("deaf", "ready", "serve"))
        for hammer in (lambda: self.assertEqual(g.run("hammer").returncode, 0), lambda: g.signal(signal.SIGUSR2)):
            old = g.workers("ready")[0]["pid"]
            self.assertEqual(g.reload().returncode, 0)
            self.assertEqual([w["pid"] for w in g.workers("draining")], [old])
            hammer()
            wait_until(lambda: not alive(old))
        g.run("stop", "--no-wait")
        self.assertEqual(g.end(), 0)  # the second request does not wait

    def test_too_many_draining_generations_cost_the_oldest(self):
        g = self.serving("--drain-timeout", "infinity", "--max-draining", "2", habits=("deaf", "ready", "serve"))
        pids = []
        for _ in range(3):
            pids.append(g.workers("ready")[0]["pid"])
            self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: not alive(pids[0]))
        self.assertEqual([w["pid"] for w in g.workers("draining")], pids[1:])
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        self.assertEqual(g.end(), 0)

    def test_the_drain_signal_is_what_was_asked_for(self):
        out = self.path("out")
        script = self.write("app", '#!/bin/sh\ntrap "echo got it > %s; exit 0" QUIT\n"%s" ready-and-barrier\nwhile :; do sleep 0.05; done\n'
                            % (out, WORKER), 0o755)
        g = self.graced("--drain-signal", "SIGQUIT", command=(script,))
        self.assertEqual(g.end(), 0)
        with open(out) as f:
            self.assertEqual(f.read(), "got it\n")


class Stop(Case):
    def test_stop_drains_and_leaves_nothing(self):
        g = self.serving("-w", "3", "--pid-file", self.path("pid"))
        with open(self.path("pid")) as f:
            self.assertEqual(int(f.read()), g.pid)
        pids = [w["pid"] for w in g.workers()]
        r = g.run("stop")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(g.end(signo=None), 0)
        self.assertFalse(os.path.exists(self.path("pid")))
        self.assertTrue(any("STOPPING=1" in m for m in g.manager.heard))
        self.assert_nothing_left(g, *pids)

    def test_ctrl_c_and_quit_are_stops(self):
        for signo in (signal.SIGINT, signal.SIGQUIT):
            g = self.serving(name="s%d" % signo)
            self.assertEqual(g.end(signo), 0)

    def test_a_second_term_does_not_wait(self):
        g = self.serving("--stop-timeout", "infinity", habits=("deaf", "ready", "serve"))
        pid = g.workers()[0]["pid"]
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        self.assertTrue(alive(pid))
        self.assertEqual(g.end(signal.SIGTERM), 0)
        self.assertFalse(alive(pid))

    def test_term_in_the_middle_of_a_reload_stops_both_generations(self):
        g = self.switchable("--ready-timeout", "60s")
        self.become("sleep=1000")
        reload = subprocess.Popen([g.command[0], "reload", "--control", g.control], stderr=subprocess.PIPE, text=True)
        g.wait("RELOADING=1")
        pids = wait_until(lambda: (lambda w: len(w) == 2 and [x["pid"] for x in w])(g.workers()))
        self.assertEqual(g.end(), 0)
        _, said = reload.communicate(timeout=PATIENCE)
        self.assertEqual(reload.returncode, 1)
        self.assertIn("stopping", said)
        self.assert_nothing_left(g, *pids)

    def test_the_stop_timeout_ends_a_deaf_worker(self):
        g = self.serving("--stop-timeout", "300ms", habits=("deaf", "ready", "serve"))
        self.assertEqual(g.end(), 0)

    def test_usr1_reaches_the_serving_worker(self):
        out = self.path("out")
        script = self.write("app", '#!/bin/sh\ntrap "echo reopened > %s" USR1\n"%s" ready-and-barrier\nwhile :; do sleep 0.05; done\n'
                            % (out, WORKER), 0o755)
        g = self.graced(command=(script,))
        g.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(out))


class ServiceManager(Case):
    def test_a_manager_that_does_not_listen_makes_nobody_wait(self):
        g = self.serving()
        for _ in range(300):  # far more than its queue holds
            g.signal(signal.SIGHUP)
        for _ in range(20):
            self.assertEqual(g.reload().returncode, 0)
        g.wait("STATUS=generation %d serves" % g.status()["serving"])


class Words(Case):
    def ignored(self, g):
        return re.findall("generation=?(?: )?([0-9]+).*some is ignored: (.*) \\(", g.said())

    def test_who_relies_on_a_word_that_graced_ignores_is_told_once_for_each_generation(self):
        says = ["notify=MAINPID=1\nX_OWN=1\nWATCHDOG_USEC=20000000\nFDSTORE=1\nFDNAME=db\nTOKEN=secret", *["notify=WATCHDOG=1"] * 20,
                "ready-and-barrier", "notify=WATCHDOG=1", "serve"]
        g = self.serving("--workers", "2", habits=says)
        wait_until(lambda: len(self.ignored(g)) == 1, g.said)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.end(), 0)
        told = self.ignored(g)
        self.assertEqual([generation for generation, _ in told], ["1", "2"], g.said())
        for _, words in told:
            # Neither the value of TOKEN= nor what loses nothing by being ignored.
            self.assertTrue(words.startswith("WATCHDOG_USEC=, FDSTORE=1, TOKEN="), words)

    def test_a_worker_whose_words_are_heard_is_told_of_nothing(self):
        g = self.serving(habits=("status=warm", "notify=MAINPID=1\nRELOADING=1\nMONOTONIC_USEC=1", "ready-and-barrier", "serve"))
        self.assertEqual(g.end(), 0)
        self.assertEqual(self.ignored(g), [])


class Orphans(Case):
    def test_orphans_of_workers_are_reaped(self):
        script = self.write("app", '#!/bin/sh\n(sh -c "exit 0" &) ; (true &) ; (true &)\nexec "%s" ready serve\n' % WORKER, 0o755)
        g = self.graced(command=(script,))
        worker = g.workers()[0]["pid"]

        def children():
            with open("/proc/%d/task/%d/children" % (g.pid, g.pid)) as f:
                return [int(p) for p in f.read().split()]
        wait_until(lambda: children() == [worker], lambda: str(children()))


if __name__ == "__main__":
    main()
