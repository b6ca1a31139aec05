"""What whoever starts graced has set up, and what of it reaches the workers."""
import os, re, signal, socket, subprocess, sys, unittest
from harness import Case, GRACED, NOBODY, PATIENCE, alive, ask, main, wait_until


def status_of(pid, key):
    with open("/proc/%d/status" % pid) as f:
        return next(line.split(":", 1)[1].strip() for line in f if line.startswith(key + ":"))


def signals_in(pid, key):
    mask = int(status_of(pid, key), 16)
    return {signal.Signals(n) for n in signal.valid_signals() if n < signal.SIGRTMIN and mask >> (n - 1) & 1}


def ignoring(*signals):
    return lambda: [signal.signal(s, signal.SIG_IGN) for s in signals]


class Signals(Case):
    def worker(self, g):
        return g.workers()[0]["pid"]

    def test_a_server_that_relies_on_an_ignored_sigpipe_finds_it_ignored(self):
        for ignored in ((signal.SIGPIPE,), ()):
            g = self.graced("--adopt", "off", "--ready", "after:1ms", command=("sleep", "600"), preexec=ignoring(*ignored),
                            name="ignoring%d" % len(ignored))
            self.assertEqual(signals_in(self.worker(g), "SigIgn"), set(ignored))

    def test_a_server_below_nohup_outlives_the_terminal_and_graced_reloads_on_sighup(self):
        g = self.serving(preexec=ignoring(signal.SIGHUP))
        self.assertIn(signal.SIGHUP, signals_in(self.worker(g), "SigIgn"))
        g.signal(signal.SIGHUP)
        g.wait("STATUS=generation 2 serves")

    def test_what_else_the_starter_ignores_is_at_its_default_in_workers(self):
        others = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP, 32, 33)]
        g = self.graced(command=(sys.executable, "-SEc", """
import os, signal, socket
os.write(2, b"SigIgn is %s\\n" % next(l for l in open("/proc/self/status", "rb") if l.startswith(b"SigIgn")).split()[1])
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
signal.sigwait([signal.SIGTERM])
"""), preexec=ignoring(*others))
        # Python itself ignores SIGPIPE and SIGXFSZ; SIGHUP stays as it was found.
        mask = int(wait_until(lambda: re.search(r"^SigIgn is ([0-9a-f]+)$", g.said(), re.M)).group(1), 16)
        found = {n for n in range(1, 65) if mask >> (n - 1) & 1}
        self.assertEqual(found, {signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ})

    def test_a_dead_worker_is_replaced_though_the_starter_ignored_sigchld(self):
        g = self.serving("--restart-delay", "10ms", preexec=ignoring(signal.SIGCHLD))
        first = self.worker(g)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != first])
        self.assertIn("killed by SIGKILL", g.said())
        self.assertEqual(g.end(), 0)

    def test_an_old_worker_hears_its_drain_signal_though_the_starter_had_blocked_it(self):
        g = self.serving(preexec=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))
        first = self.worker(g)
        self.assertEqual(int(status_of(first, "SigBlk"), 16), 0)
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: not alive(first))


class Descriptors(Case):
    SERVER = """#!/usr/bin/python3 -SE
import os, socket
listener = socket.socket(fileno=3)
listener.setblocking(True)
while True:
    client, _ = listener.accept()
    number = client.fileno()
    client.recv(999)
    try:
        os.write(1, b"what print() says\\n")
    except OSError:
        pass
    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\ndescriptor %d" % number)
    client.close()
"""

    def test_no_client_becomes_the_standard_output_of_a_worker(self):
        server = self.write("server", self.SERVER, 0o755)
        for closed in ((1,), (0, 1, 2), (2,), (0,)):
            with self.subTest(closed=closed):
                g = self.graced(command=(server,), name="closed" + "".join(map(str, closed)),
                                preexec=lambda: [os.close(fd) for fd in closed])
                self.assertEqual(ask(g.address()), "descriptor 4")
                for fd in closed:
                    self.assertEqual(os.readlink("/proc/%d/fd/%d" % (g.pid, fd)), "/dev/null")
                self.assertEqual(g.end(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can start workers of another user")
    def test_a_worker_of_another_user_opens_its_standard_error_by_name(self):
        g = self.graced("--adopt", "off", "--user", "nobody", "--ready", "notify", "-l", "127.0.0.1:0",
                        command=("/bin/sh", "-c", "echo by name >/dev/stderr && exec %s -SEc '%s'" % (sys.executable, """
import os, signal, socket
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
signal.pause()""")), wait=False)
        wait_until(lambda: "by name\n" in g.said() or "denied" in g.said(), g.said)
        self.assertIn("by name\n", g.said())


class Rights(Case):
    """graced of an ordinary user with some capabilities, as a unit with AmbientCapabilities= has it."""
    OWN = "+sys_admin,+sys_ptrace,+net_bind_service"

    AS_NOBODY = ("setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--inh-caps=" + OWN,
                 "--ambient-caps=" + OWN)

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can hand out capabilities")
        os.chmod(self.directory, 0o755)  # workers of another user reach the notify socket

    def for_nobody(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)

    def ambient(self, *options):
        return self.serving(*options, within=("sh", "-c", '"$@"; exit $?', "sh", *self.AS_NOBODY), preexec=self.for_nobody)

    def sets(self, pid):
        return [int(status_of(pid, "Cap" + which), 16) for which in ("Inh", "Prm", "Eff", "Amb")]

    def test_a_worker_gets_nothing_of_what_graced_holds_for_itself(self):
        g = self.ambient()
        self.assertNotEqual(self.sets(g.pid), [0] * 4)
        worker = g.workers()[0]["pid"]
        self.assertEqual(self.sets(worker), [0] * 4)
        self.assertEqual(status_of(worker, "CapBnd"), status_of(g.pid, "CapBnd"))
        self.assertEqual(g.end(), 0)

    def test_a_worker_gets_those_that_it_is_to_keep(self):
        net_bind_service = 1 << 10
        for start in (lambda *options: self.serving("--user", "nobody", *options, name="root"), self.ambient):
            g = start("--keep-capabilities", "CAP_NET_BIND_SERVICE")
            self.assertEqual(self.sets(g.workers()[0]["pid"]), [net_bind_service] * 4)
            self.assertEqual(g.end(), 0)

    def test_what_graced_does_not_have_itself_nobody_can_keep(self):
        self.for_nobody()
        r = subprocess.run([*self.AS_NOBODY, GRACED, "run", "--control", self.path("c"), "--keep-capabilities", "net_admin", "--",
                            "true"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(r.returncode, 1)
        self.assertIn("keep capability net_admin: Operation not permitted (graced must have it itself)", r.stderr)

    def test_the_user_that_graced_already_is_needs_no_right_to_become(self):
        for options in (("--user", "nobody"), ("--group", "nogroup")):
            g = self.serving(*options, preexec=self.as_nobody, name=options[0][2:])
            self.assertIn("Uid", open("/proc/%d/status" % g.workers()[0]["pid"]).read())
            self.assertEqual(status_of(g.workers()[0]["pid"], "Uid").split(), [str(NOBODY)] * 4)
            self.assertEqual(g.end(), 0)

    def test_another_user_than_graced_is_refused_with_the_reason(self):
        g = self.serving("--user", "daemon", preexec=self.as_nobody, wait=False)
        self.assertEqual(g.process.wait(PATIENCE), 1)
        self.assertIn("become user daemon: Operation not permitted (graced must run as root for that)", g.said())


class Words(Case):
    def test_a_capability_that_does_not_exist_is_refused_with_the_nearest(self):
        self.assert_refused(["keep-capabilities", "no capability 'net_bind_servce'", "did you mean 'net_bind_service'?"],
                            "run", "--keep-capabilities", "net_bind_servce", "true")

    def test_a_command_that_is_not_restarted_gives_its_own_status_before_it_was_ready(self):
        for status, command in ((3, ("sh", "-c", "exit 3")), (143, ("sh", "-c", "kill -TERM $$")), (127, ("/nonexistent",)),
                                (126, ("/etc/passwd",))):
            r = self.run_graced("run", "--control", self.path("c"), "--adopt", "off", "--restart", "never", "--", *command)
            self.assertEqual(r.returncode, status, r.stderr)


@unittest.skipUnless(os.geteuid() == 0, "only root can have a /run of its own for a journal")
class Journal(Case):
    def test_lines_reach_the_journal_again_after_it_was_stopped_and_started(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        stream = os.fstat(theirs.fileno())
        script = self.write("app", """#!/usr/bin/python3 -SE
import os, signal, socket
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
n.send(b"READY=1")
for i in range(9):
    signal.sigwait([signal.SIGUSR1])
    os.write(2, b"line %d\\n" % i)
    n.send(b"STATUS=said %d" % i)
""", 0o755)
        private = 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "$@"; exit $?'
        g = self.graced("--log-format", "text", command=(script,), stderr=theirs.fileno(),
                        env={"JOURNAL_STREAM": "%d:%d" % (stream.st_dev, stream.st_ino)},
                        within=("unshare", "--mount", "sh", "-c", private, "sh"))
        theirs.close()
        worker = g.workers()[0]["pid"]

        def say(number):
            os.kill(worker, signal.SIGUSR1)
            wait_until(lambda: g.workers()[0]["status"] == "said %d" % number)

        say(0)
        heard = b""
        while b"line 0\n" not in heard:
            heard += ours.recv(65536)
        ours.close()  # the journal is stopped
        say(1)  # nobody hears that
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as journal:
            os.chdir("/proc/%d/root/run/systemd/journal" % g.pid)
            journal.bind("stdout")
            os.chdir("/")
            journal.listen()
            journal.settimeout(PATIENCE)
            say(2)
            connection, _ = journal.accept()
            with connection:
                connection.settimeout(PATIENCE)
                heard = b""
                while b"line 2\n" not in heard:
                    part = connection.recv(65536)
                    self.assertTrue(part, heard)
                    heard += part
                self.assertTrue(heard.startswith(b"graced\n"), heard)
                say(3)
                while b"line 3\n" not in heard:
                    heard += connection.recv(65536)
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
