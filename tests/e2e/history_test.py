"""`graced history`: what has happened to an instance, when, and who asked for it."""
import json, os, signal, subprocess, unittest

from harness import GRACED, PATIENCE, WORKER, Case, become_nobody, main, wait_until
from schema import assert_valid

LONG = "100h"


class History(Case):
    def history(self, g, *arguments):
        answer = g.run("history", "--json", *arguments)
        self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
        told = assert_valid("history", json.loads(answer.stdout))
        self.assertEqual((told["schema"], told["name"]), (1, "t"))
        return told["history"]

    def latest(self, g, event, generation=None):
        """The newest entry, once it is this one."""
        def newest():
            entry = self.history(g, "-n", "1")[0]
            return entry if entry["event"] == event and generation in (None, entry["generation"]) else None
        return wait_until(newest, lambda: "%s\n%s" % (self.history(g), g.said()))

    def test_a_start_and_reloads_with_who_asked_and_how_long_each_stage_took(self):
        g = self.switchable("--check", "/bin/true")
        start, = self.history(g)
        self.assertEqual((start["event"], start["generation"], start["serving"], start["outcome"]), ("serving", 1, 1, "ok"))
        self.assertEqual(start["by"], {"how": "start", "signal": None, "uid": None, "pid": None, "program": None})
        self.assertRegex(start["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIsNone(start["check_s"])  # not looked at before a start

        self.assertEqual(g.reload().returncode, 0)
        reloaded = self.latest(g, "reloaded", 2)
        self.assertEqual((reloaded["serving"], reloaded["outcome"], reloaded["reason"]), (2, "ok", None))
        by = reloaded["by"]
        self.assertEqual((by["how"], by["uid"], by["signal"]), ("control", os.geteuid(), None))
        self.assertIn(by["program"], ("graced", os.path.basename(GRACED)[:15]))
        stages = [reloaded[stage] for stage in ("prepare_s", "check_s", "start_s")]
        self.assertTrue(all(stage > 0 for stage in stages), stages)
        self.assertAlmostEqual(sum(stages), reloaded["took_s"], places=3)
        self.assertIsNone(reloaded["probe_s"])
        self.assertGreater(reloaded["monotonic_s"], start["monotonic_s"])

        os.kill(g.pid, signal.SIGHUP)
        with open("/proc/self/comm") as f:
            program = f.read().strip()
        self.assertEqual(self.latest(g, "reloaded", 3)["by"],
                         {"how": "signal", "signal": "SIGHUP", "uid": os.getuid(), "pid": os.getpid(), "program": program})

    def test_a_failed_reload_keeps_its_last_words(self):
        g = self.switchable()
        self.become("say=no-config", "say=at-all", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        failed = self.latest(g, "reload-failed", 2)
        self.assertEqual((failed["serving"], failed["outcome"]), (1, "failed"))
        self.assertRegex(failed["reason"], r"^exited with status 3")
        self.assertEqual(failed["last_lines"], ["no-config", "at-all"])
        text = g.run("history").stdout.splitlines()
        self.assertRegex(text[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  generation 1 serves after \w+")
        self.assertRegex(text[1], r"  generation 2 failed after [^:]*: exited with status 3[^;]*; asked at the control socket by \w+, PID \d+, ")
        self.assertEqual(text[2:], [" " * 21 + "| no-config", " " * 21 + "| at-all"])

    def test_a_reload_that_is_aborted_says_by_whom(self):
        g = self.switchable("--ready-timeout", "infinity")
        self.become("write=%s:{pid}" % self.path("started"), "serve")
        os.kill(g.pid, signal.SIGHUP)
        wait_until(lambda: os.path.exists(self.path("started")), g.said)
        self.assertEqual(g.run("abort").returncode, 0)
        failed = self.latest(g, "reload-failed", 2)
        self.assertRegex(failed["reason"], r"^aborted by .*\(PID \d+\)")
        self.assertEqual(failed["by"]["signal"], "SIGHUP")

    def test_a_crash_with_its_last_words_and_that_it_serves_again(self):
        os.mkfifo(self.path("go"))
        script = self.write("app", '#!/bin/sh\n"%s" ready-and-barrier\nread word <"%s"\necho "panic: $word" >&2\nexit 3\n'
                            % (WORKER, self.path("go")), 0o755)
        g = self.graced("--ready", "notify", "--restart-delay", "1ms", command=(script,))
        pid = g.workers("ready")[0]["pid"]
        with open(self.path("go"), "w") as go:
            go.write("one\n")
        again = self.latest(g, "serving", 1)
        self.assertEqual(again["by"]["how"], "crash")
        crashed = self.history(g)[1]
        self.assertEqual((crashed["event"], crashed["outcome"], crashed["generation"], crashed["worker"], crashed["worker_pid"]),
                         ("crashed", "failed", 1, 0, pid))
        self.assertEqual((crashed["status"], crashed["signal"], crashed["by"]), (3, None, None))
        self.assertGreater(crashed["lived_s"], 0)
        self.assertEqual(crashed["last_lines"], ["panic: one"])

        pid = g.workers("ready")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.latest(g, "serving", 1)
        wait_until(lambda: len(self.history(g)) == 5, g.said)
        self.assertEqual([(e["event"], e["signal"]) for e in self.history(g)][1:],
                         [("crashed", None), ("serving", None), ("crashed", "SIGKILL"), ("serving", None)])

    def test_workers_that_are_hammered_and_a_stop(self):
        g = self.switchable("--drain-timeout", LONG, "--stop-timeout", LONG, "-w", "2")
        self.become("deaf", "ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: len(g.workers("draining")) == 2, g.said)
        self.assertEqual(g.run("hammer").returncode, 0)
        hammered = self.latest(g, "hammered", 2)
        self.assertEqual((hammered["killed"], hammered["by"]["how"], hammered["reason"]), (2, "control", None))

        self.become("deaf", "ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        os.kill(g.pid, signal.SIGTERM)
        stopping = self.latest(g, "stopping", 4)
        self.assertEqual((stopping["by"]["signal"], stopping["reason"], stopping["outcome"]), ("SIGTERM", None, "ok"))
        self.assertIn("graced stops; asked by SIGTERM of ", g.run("history", "-n", "1").stdout)

    def test_who_is_killed_for_being_late_was_killed_by_graced(self):
        g = self.switchable("--drain-timeout", "1ms")
        self.become("deaf", "ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        hammered = self.latest(g, "hammered", 2)
        self.assertEqual((hammered["killed"], hammered["by"]["how"], hammered["reason"]), (1, "graced", "not gone in time"))

    def test_only_the_last_64_are_kept(self):
        g = self.serving("--check", "/bin/false")
        for _ in range(70):
            self.assertEqual(g.reload().returncode, 1)
        told = self.history(g)
        self.assertEqual([e["generation"] for e in told], list(range(8, 72)))
        self.assertEqual([e["generation"] for e in self.history(g, "-n", "2")], [70, 71])

    @unittest.skipIf(os.geteuid() != 0, "becomes another user")
    def test_other_users_see_what_happened_but_no_last_words(self):
        os.chmod(self.directory, 0o755)
        g = self.switchable()
        self.become("say=password:1234", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        self.latest(g, "reload-failed", 2)
        for arguments in ((), ("--json",)):
            told = g.run("history", *arguments, preexec_fn=become_nobody, cwd="/")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertIn("exited with status 3", told.stdout)
            self.assertNotIn("password", told.stdout)
        self.assertIn("password:1234", g.run("history").stdout)

    def test_nobody_there_and_wrong_words(self):
        answer = subprocess.run([GRACED, "history", "--control", self.path("none")], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((answer.returncode, answer.stdout), (3, ""))
        answer = subprocess.run([GRACED, "history", "-n", "none"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((answer.returncode, answer.stdout), (2, ""))
        self.assertIn("--last none: ", answer.stderr)


if __name__ == "__main__":
    main()
