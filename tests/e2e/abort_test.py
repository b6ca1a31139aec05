"""`graced abort`: a reload that runs is ended from outside, whatever it waits for."""
import os
from harness import PATIENCE, WORKER, Case, alive, main, wait_until


class Abort(Case):
    def aborts(self, g, reload, serving=1, then=None):
        """then: the generation that may serve already when graced is asked what does."""
        said = g.run("abort")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertRegex(said.stdout, "t: generation %d aborted, generation (%d|%s) serves" % (serving + 1, serving, then))
        _, why = reload.communicate(timeout=PATIENCE)
        self.assertEqual(reload.returncode, 1)
        self.assertIn("graced: reload of 't' failed: aborted by %s (PID " % ("uid %d" % os.geteuid() if os.geteuid() else "root"), why)
        self.assertIn("generation %d still serves" % serving, why)
        return said.stdout

    def test_a_candidate_that_never_gets_ready_is_thrown_away(self):
        g = self.switchable("--ready-timeout", "infinity")
        before = g.workers("ready")[0]["pid"]
        self.become("write=%s:{pid}" % self.path("started"), "serve")
        reload = self.reloading(g)
        candidate = self.pid_in("started")
        self.aborts(g, reload)
        wait_until(lambda: not alive(candidate), g.said)
        self.assertEqual(g.workers("ready")[0]["pid"], before)
        self.assertIn("generation 1 ", g.ask())
        status = g.status()
        self.assertEqual((status["phase"], status["failed_reloads"]), ("serving", 1))
        self.assertIn("aborted by", status["last_reload"]["why"])
        g.wait("READY=1")  # the manager above has heard RELOADING=1
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 3 ", g.ask())

    def test_a_check_that_hangs_is_ended(self):
        check = self.write("check", '#!/bin/sh\necho $$ >"%s"\nexec sleep 1000\n' % self.path("started"), 0o755)
        g = self.switchable("--check", check, "--ready-timeout", "infinity")
        reload = self.reloading(g)
        checking = self.pid_in("started")
        status = g.status()
        self.assertEqual((status["check"]["command"], status["candidate"]), (check, 2))
        self.assertRegex(g.run("status").stdout, r"\n  checks       for [\d.]+\w+: %s\n" % check)
        self.aborts(g, reload)
        wait_until(lambda: not alive(checking), g.said)
        self.assertIsNone(g.status()["check"])
        self.assertEqual(g.end(), 0)

    def test_a_file_that_nobody_writes_is_not_waited_for(self):
        settings = self.write("settings", "BUILD=b1\n")
        g = self.switchable("--env-file", settings, "--ready-timeout", "infinity")
        os.unlink(settings)
        os.mkfifo(settings)
        reload = self.reloading(g)
        wait_until(lambda: g.status()["phase"] == "reloading")
        self.aborts(g, reload)
        self.assertIn("generation 1 build b1", g.ask())

    def test_a_reload_that_was_asked_for_meanwhile_is_next(self):
        g = self.switchable("--ready-timeout", "infinity")
        self.become("write=%s:{pid}" % self.path("started"), "serve")
        first = self.reloading(g)
        self.pid_in("started")
        self.become("ready", "serve")  # put right
        second = self.reloading(g)
        wait_until(lambda: g.status()["reload_queued"])
        self.assertIn("the reload that was asked for meanwhile is next", self.aborts(g, first, then=3))
        said, why = second.communicate(timeout=PATIENCE)
        self.assertEqual((second.returncode, said, why), (0, "t: generation 3 serves\n", ""))

    def test_where_no_reload_runs_that_is_said(self):
        g = self.serving()
        said = g.run("abort")
        self.assertEqual((said.returncode, said.stdout), (1, ""))
        self.assertEqual(said.stderr, "graced: nothing to abort in 't': no reload runs, generation 1 serves\n")
        self.assertEqual(g.status()["failed_reloads"], 0)

    def test_a_first_start_is_not_aborted(self):
        g = self.graced("--ready-timeout", "infinity", "--ready", "notify", command=(WORKER, "serve"), wait=False)
        wait_until(lambda: g.run("status").returncode == 0, g.said)
        said = g.run("abort")
        self.assertEqual(said.returncode, 1)
        self.assertIn("nothing serves (graced stop ends a start)", said.stderr)
        self.assertEqual(g.status()["phase"], "starting")


if __name__ == "__main__":
    main()
