"""graced as PID 1, as in a container: of a PID namespace of its own, with a /proc that shows it."""
import signal, subprocess, unittest
from harness import Case, PATIENCE, alive, children, main, wait_until

IN_A_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

# A worker whose grandchildren all lose their parents, and then end at once when the word comes.
ORPHANS = """#!/usr/bin/python3 -SE
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
word, until = os.pipe()
for i in range(1000):
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os.close(until)
            if i % 3 == 0:
                os.setsid()
            os.read(word, 1)
            if i % 5 == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(i % 256)
        os._exit(0)
    os.waitpid(child, 0)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.signal(signal.SIGUSR1, lambda *_: os.close(until))
while True:
    signal.pause()
"""


def possible():
    return subprocess.run([*IN_A_NAMESPACE, "true"], capture_output=True).returncode == 0


@unittest.skipUnless(possible(), "no PID namespace can be made here, root can")
class Pid1(Case):
    def container(self, *options, **more):
        g = self.serving(*options, within=IN_A_NAMESPACE, **more)
        self.assertIn("PID 1, ", g.said())
        return g

    def test_it_reaps_a_thousand_orphans_that_end_at_once(self):
        script = self.write("orphans", ORPHANS, 0o755)
        g = self.graced(within=IN_A_NAMESPACE, command=(script,), options=("--ready", "notify", "--ready-timeout", "10min"))
        worker = [w["pid"] for w in g.workers("ready")]
        self.assertEqual(len(worker), 1)
        self.assertEqual(len(children(g.pid)), 1001)
        g.signal(signal.SIGUSR1)
        wait_until(lambda: len(children(g.pid)) == 1, lambda: "%d children are left" % len(children(g.pid)))
        self.assertEqual(g.workers("ready")[0]["pid"], worker[0])
        self.assertEqual(g.end(), 0)

    def test_a_stop_finishes_what_is_under_way_and_ends_with_status_0(self):
        leave = self.path("leave")
        g = self.container(habits=("ready", "serve-late"), env={"LEAVE_FILE": leave})
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        self.write("leave", "")
        self.assertEqual(g.end(None), 0)

    def test_a_worker_that_does_not_leave_is_killed_after_the_stop_timeout(self):
        g = self.container("--stop-timeout", "100ms", habits=("child=daemon", "deaf", "ready", "serve"),
                           env={"CHILD_FILE": self.path("child")})
        wait_until(lambda: len(children(g.pid)) == 2, g.said)  # the child that left its worker, too
        inside = children(g.pid)
        self.assertEqual(g.end(), 0)
        self.assertIn("hammered", g.said())
        for pid in inside:
            self.assertFalse(alive(pid))

    def test_a_hup_reloads_and_it_stays_pid_1(self):
        g = self.container()
        g.signal(signal.SIGHUP)
        g.wait("RELOADING=1")
        g.wait("READY=1")
        self.soon("generation 2 ", g.ask)
        self.assertEqual(g.status()["pid"], 1)
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 3 ", g.ask)
        self.assertEqual(g.end(signal.SIGINT), 0)

    def test_no_other_signal_ends_it(self):
        g = self.container()
        with open("/proc/%d/status" % g.pid) as f:
            caught = int(next(line for line in f if line.startswith("SigCgt")).split()[1], 16)
        faults = {signo for signo in signal.valid_signals() if caught >> (signo - 1) & 1}  # a sanitizer's
        for signo in signal.valid_signals() - faults - {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT,
                                               signal.SIGHUP, signal.SIGUSR1, signal.SIGTSTP, signal.SIGPWR,
                                               signal.SIGRTMIN + 3}:
            g.signal(signo)
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr + g.said())
        self.assertEqual(g.run("status", "--ready").returncode, 0)
        self.assertEqual(g.end(signal.SIGQUIT), 0)

    def test_orphans_of_strangers_are_reaped_too(self):
        """As those of `docker exec`: nothing that graced started."""
        g = self.container()
        subprocess.run(["nsenter", "--target", str(g.pid), "--pid", "--mount", "sh", "-c", "sleep 0.01 & exit 0"], check=True,
                       timeout=PATIENCE)
        wait_until(lambda: len(children(g.pid)) == 1, lambda: "children: %r" % children(g.pid))
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
