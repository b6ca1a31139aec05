"""graced is upgraded, and what it was told, has told and holds of its place on this machine goes on: nobody hears anything twice."""
import json, os, signal, subprocess
from harness import GRACED, PATIENCE, WORKER, Manager, alive, main, wait_until
from upgrading import NEXT, UpgradeCase, open_files


class Words(UpgradeCase):
    def both_ways(self, g):
        self.upgraded(g, NEXT)
        self.upgraded(g, GRACED)

    def test_a_server_that_is_ready_by_its_time_may_say_so_after_an_upgrade(self):
        script = self.write("app", '#!/bin/sh\nwhile ! test -e "$DIRECTORY/go"; do sleep 0.02; done\nexec "%s" ready serve\n' % WORKER, 0o755)
        g = self.graced("--ready", "after:10ms", command=(script,), env={"DIRECTORY": self.directory})
        self.both_ways(g)
        self.write("go", "")
        self.assertIn("generation 1", g.ask())
        self.both_ways(g)
        self.assertEqual(g.reload().returncode, 0, g.said())

    def test_words_of_workers_that_are_ignored_are_told_of_once(self):
        g = self.serving(habits=("notify=FDSTORE=1\nTOKEN=secret", "ready-and-barrier", "serve"))
        wait_until(lambda: "some is ignored" in g.said(), g.said)
        self.upgraded(g)
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)  # the next one says it again
        wait_until(lambda: len(g.workers("ready")) == 1 and g.status()["restarts"] == 1, g.said)
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: g.said().count("some is ignored") == 2, g.said)  # the next generation's
        self.assertEqual(g.said().count("generation 1: of what it says"), 1, g.said())

    def test_a_signal_that_means_nothing_is_told_of_once(self):
        g = self.serving()
        g.signal(signal.SIGWINCH)
        wait_until(lambda: "SIGWINCH received" in g.said(), g.said)
        self.both_ways(g)
        g.signal(signal.SIGWINCH)
        g.signal(signal.SIGVTALRM)
        wait_until(lambda: "SIGVTALRM received" in g.said(), g.said)
        self.assertEqual(g.said().count("SIGWINCH received"), 1, g.said())

    def test_a_restart_that_was_told_of_is_not_told_of_again(self):
        g = self.serving("--restart-delay", "1h")
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        wait_until(lambda: "is started again in" in g.said(), g.said)
        self.both_ways(g)
        self.assertEqual(g.said().count("is started again in"), 1, g.said())
        self.assertEqual(g.said().count("killed by SIGKILL"), 1, g.said())

    def test_why_the_last_reload_failed_is_told_in_full(self):
        g = self.switchable()
        self.become("say=cannot-open-the-door", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        before = g.run("status").stdout
        self.both_ways(g)
        self.assertIn("cannot-open-the-door", before)
        self.assertIn("cannot-open-the-door", g.run("status").stdout)
        self.assertEqual(self.kinds(g)[-4:], ["serving", "reload-failed", "upgraded", "upgraded"])

    def test_options_of_a_reload_hold_their_log_level_and_commands(self):
        said = self.path("hooks")
        self.write("c.conf", "listen = 127.0.0.1:0\n")
        g = self.serving("--config", self.path("c.conf"), options=())
        self.write("c.conf", "listen = 127.0.0.1:0\nlog-level = warning\non = crashed=sh -c 'echo $GRACED_EVENT >>%s'\n" % said)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.write("c.conf", "nonsense\n")  # nobody reads it before a reload
        self.both_ways(g)
        lines = g.said().count("\n")
        os.kill(g.workers("ready")[0]["pid"], signal.SIGKILL)
        wait_until(lambda: os.path.exists(said) and "crashed" in open(said).read(), g.said)
        wait_until(lambda: len(g.workers("ready")) == 1, g.said)
        self.assertEqual([line for line in g.said().splitlines()[lines:] if " info " in line], [])
        answer = g.run("reload")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("nonsense", answer.stdout + answer.stderr)


class Place(UpgradeCase):
    def test_its_names_are_nobody_elses_and_all_goes_at_the_end(self):
        pid_file = self.path("pid")
        os.mkdir(self.path("run"))
        control = self.path("run/here/control")
        process = subprocess.Popen([GRACED, "run", "--name", "p", "--control", control, "--pid-file", pid_file, "-l", "unix:" + self.path("s"),
                                    "--", WORKER, "ready", "serve"], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.poll() is None and process.terminate(), process.wait()))
        ask = lambda *words: subprocess.run([GRACED, *words, "--control", control], capture_output=True, text=True, timeout=PATIENCE)
        wait_until(lambda: ask("status").returncode == 0)
        wait_until(lambda: json.loads(ask("status", "--json").stdout)["serving"] == 1)
        files = open_files(process.pid)
        for image in (NEXT, GRACED, NEXT):
            answer = ask("upgrade", "--binary", image)
            self.assertEqual(answer.returncode, 0, answer.stderr)
            self.assertTrue(os.path.samefile("/proc/%d/exe" % process.pid, image))
            with open(pid_file) as f:
                self.assertEqual(int(f.read()), process.pid)
            for options in (("--control", control), ("--control", self.path("other"), "--pid-file", pid_file)):
                second = self.run_graced("run", "--name", "second", *options, "-l", "127.0.0.1:0", "--", WORKER, "ready", "serve")
                self.assertEqual(second.returncode, 1, second.stderr)
                self.assertIn("PID %d" % process.pid, second.stderr)
        wait_until(lambda: open_files(process.pid) == files, lambda: "%r, not %r" % (open_files(process.pid), files))
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(sorted(os.listdir(self.directory)), ["run"])
        self.assertEqual(os.listdir(self.path("run")), [])

    def test_graced_in_the_background_is_upgraded_there(self):
        control, pid_file = self.path("b.control"), self.path("pid")
        with open(self.path("log"), "wb") as log:
            subprocess.run([GRACED, "run", "--daemonize", "--name", "b", "--control", control, "--pid-file", pid_file, "-l", "unix:" + self.path("s"),
                            "--", WORKER, "ready", "serve"], check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        with open(pid_file) as f:
            pid = int(f.read())
        ask = lambda *words: subprocess.run([GRACED, *words, "--control", control], capture_output=True, text=True, timeout=PATIENCE)
        self.addCleanup(ask, "stop")
        with open("/proc/%d/stat" % pid) as f:
            before = f.read().rpartition(")")[2].split()[1:5]  # parent, group, session, terminal
        for image in (NEXT, GRACED):
            self.assertEqual(ask("upgrade", "--binary", image).returncode, 0)
            self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, image))
        with open("/proc/%d/stat" % pid) as f:
            self.assertEqual(f.read().rpartition(")")[2].split()[1:5], before)
        self.assertEqual(ask("reload").returncode, 0)
        self.assertEqual(ask("stop").returncode, 0)
        wait_until(lambda: not alive(pid))
        self.assertEqual(sorted(os.listdir(self.directory)), ["log"])
        with open(self.path("log")) as f:
            self.assertIn("generation 2: serves", f.read())

    def test_the_watchdog_hears_that_graced_lives_at_once_and_as_often_as_before(self):
        # WATCHDOG_PID is graced's own, which is known after fork only.
        self.write("start", '#!/bin/sh\nexport WATCHDOG_USEC=%d WATCHDOG_PID=$$\nexec "$@"\n' % 200_000_000, 0o755)
        manager = Manager(self.path("manager"))
        self.addCleanup(manager.close)
        control = self.path("w.control")
        process = subprocess.Popen([self.path("start"), GRACED, "run", "--name", "w", "--control", control, "-l", "127.0.0.1:0", "--", WORKER,
                                    "ready", "serve"], env=dict(os.environ, NOTIFY_SOCKET=manager.path), stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.poll() is None and process.terminate(), process.wait()))
        manager.wait("READY=1")
        manager.pending()
        del manager.heard[:]
        for image in (NEXT, GRACED):
            answer = subprocess.run([GRACED, "upgrade", "--control", control, "--binary", image], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual([m for m in manager.pending()], ["WATCHDOG=1\n"] * 2)


if __name__ == "__main__":
    main()
