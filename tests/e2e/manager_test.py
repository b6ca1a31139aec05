"""What graced tells the service manager above it, beyond READY=1: time it needs, that it lives, how it ended."""
import os, re, signal, subprocess
from harness import Case, Manager, main


def more_time(message):
    found = re.search(r"^EXTEND_TIMEOUT_USEC=(\d+)$", message, re.M)
    return int(found.group(1)) / 1e6 if found else None


class Told(Case):
    def test_a_start_asks_for_the_time_it_may_take(self):
        g = self.serving("--ready-timeout", "200s")
        told = [t for t in map(more_time, g.manager.heard) if t]
        self.assertTrue(told and 200 < max(told) <= 211, g.manager.heard)
        # Once for the preparation, once more at most for the workers; nothing is repeated.
        self.assertLessEqual(len(told), 2)

    def test_a_reload_asks_again_when_its_candidate_does_and_not_once_it_serves(self):
        g = self.switchable()
        self.become("extend=300", "ready", "serve")
        g.manager.heard.clear()
        self.assertEqual(g.reload().returncode, 0)
        g.wait("READY=1")
        told = [t for t in map(more_time, g.manager.heard) if t]
        self.assertTrue(30 < told[0] <= 41 and 300 < told[-1] <= 311, g.manager.heard)
        self.assertIn("RELOADING=1", next(m for m in g.manager.heard if more_time(m)))
        self.assertEqual([m for m in g.manager.heard if "READY=1" in m and more_time(m)], [])

    def test_a_stop_asks_for_the_time_its_drain_may_take(self):
        g = self.serving("--stop-timeout", "400s")
        g.end()
        stopping = [m for m in g.manager.heard if "STOPPING=1" in m]
        self.assertEqual(len(stopping), 1)
        self.assertTrue(400 < more_time(stopping[0]) <= 411, stopping)

    def test_a_drain_without_end_asks_for_a_year(self):
        g = self.serving("--stop-timeout", "infinity")
        g.end()
        self.assertGreater(more_time(next(m for m in g.manager.heard if "STOPPING=1" in m)), 300 * 86400)

    def test_the_end_is_told_with_its_status(self):
        g = self.serving()
        self.assertEqual(g.end(), 0)
        self.assertIn("EXIT_STATUS=0", "\n".join(g.manager.heard).splitlines())

    def test_a_start_that_fails_says_why_and_with_which_errno(self):
        taken = self.serving().address()
        g = self.graced("-l", "%s:%d" % taken, options=(), command=("/bin/cat",), name="second", wait=False)
        self.assertEqual(g.end(None), 1)
        lines = "\n".join(g.manager.heard).splitlines()
        self.assertIn("ERRNO=98", lines)
        self.assertIn("EXIT_STATUS=1", lines)
        self.assertRegex([line for line in lines if line.startswith("STATUS=")][-1], "STATUS=bind .* in use by graced")

    def test_the_errno_of_a_failed_reload_is_taken_back_by_the_next(self):
        self.write("c.conf", "listen = 127.0.0.1:0\n")
        g = self.serving("--config", self.path("c.conf"), options=())
        taken = g.address()
        self.write("c.conf", "listen = 127.0.0.1:0\nlisten = %s:%d\n" % taken)
        self.assertEqual(g.reload().returncode, 1)
        g.wait("READY=1")
        self.assertIn("ERRNO=98", "\n".join(g.manager.heard).splitlines())
        self.write("c.conf", "listen = 127.0.0.1:0\n")
        self.assertEqual(g.reload().returncode, 0)
        self.assertRegex(g.wait("RELOADING=1"), "(?m)^ERRNO=0$")

    def test_the_main_pid_is_never_spoken_of(self):
        g = self.serving()
        g.reload()
        g.end()
        self.assertNotIn("MAINPID", "\n".join(g.manager.heard))


class Watchdog(Case):
    def watched(self, microseconds, pid):
        # WATCHDOG_PID is graced's own, which is known after fork only.
        self.write("start", '#!/bin/sh\nexport WATCHDOG_USEC=%d WATCHDOG_PID=%s\nexec "$@"\n' % (microseconds, pid), 0o755)
        manager = Manager(self.path("manager"))
        self.addCleanup(manager.close)
        worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
        process = subprocess.Popen([self.path("start"), os.environ["GRACED_BINARY"], "run", "--name", "w", "--control",
                                    self.path("w.control"), "-l", "127.0.0.1:0", "--", worker, "ready",
                                    "write=%s:{env:WATCHDOG_USEC}{env:WATCHDOG_PID}" % self.path("seen"), "serve"],
                                   env=dict(os.environ, NOTIFY_SOCKET=manager.path), stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.poll() is None and process.terminate(), process.wait()))
        manager.wait("READY=1")
        return manager, process

    def test_it_is_told_that_graced_lives_and_no_worker_hears_of_it(self):
        manager, process = self.watched(100_000, "$$")
        for _ in range(3):
            manager.wait(r"^WATCHDOG=1\n$")
        with open(self.path("seen")) as f:
            self.assertEqual(f.read(), "(unset)(unset)\n")

    def test_somebody_elses_is_left_alone(self):
        manager, process = self.watched(1000, "1")
        process.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        manager.wait("READY=1")  # many times as late as it would be heard
        process.terminate()
        process.wait()
        self.assertNotIn("WATCHDOG", "".join(manager.pending()))


if __name__ == "__main__":
    main()
