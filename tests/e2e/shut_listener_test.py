"""A worker that calls shutdown() on the listening socket ends it for every generation, not for itself
alone. Nobody but graced can help then."""
import ctypes, os, signal, socket

from harness import Case, ask, main, wait_until

PIDFD_GETFD = 438  # the number of the system call, on all machines
HABITS = ("shut-on-usr1", "ready", "serve")


def resting(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0] == "S"


class ShutListener(Case):
    def shut(self, g, address):
        """Until graced has seen it."""
        before = g.said().count("shut the socket down")
        g.signal(signal.SIGUSR1)
        wait_until(lambda: g.said().count("shut the socket down") > before, g.said)

    def test_a_port_listens_again_for_the_same_workers(self):
        g = self.serving(habits=HABITS)
        address = g.address()
        worker = g.workers()[0]["pid"]
        for _ in range(3):
            self.shut(g, address)
            self.assertIn("pid %d" % worker, ask(address))
        self.assertEqual(g.address(), address)
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 2", lambda: ask(address))

    def test_a_port_that_was_asked_for_listens_again(self):
        with socket.socket() as s:  # free a moment ago, and nobody else's range for port 0
            s.bind(("127.77.0.1", 0))
            address = s.getsockname()
        g = self.serving(habits=HABITS, options=("-l", "127.77.0.1:%d" % address[1]))
        self.shut(g, address)
        self.assertIn("generation 1", ask(address))

    def test_a_draining_worker_that_shuts_it_down_does_not_end_its_successor(self):
        script = self.write("app", '#!/usr/bin/python3 -B\nimport runpy, signal, socket, sys\n'
                            'def leave(*_):\n'
                            '    socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)\n'
                            '    sys.exit(0)\n'
                            'sys.argv = ["worker.py", "ready", "serve"]\n'
                            'original = signal.signal\n'
                            'signal.signal = lambda n, f: original(n, leave if n == signal.SIGTERM else f)\n'
                            'runpy.run_path(%r)\n' % os.path.join(os.path.dirname(__file__), "worker.py"), 0o755)
        # Who may not steer has one socket for all generations; else it was the old one's own.
        for name, preexec in ("switched", None), ("shared", self.as_nobody):
            g = self.graced(name=name, command=(script,), preexec=preexec)
            address = g.address()
            self.assertEqual(g.status()["addresses"][0]["handoff"], name)
            self.assertEqual(g.reload().returncode, 0)
            wait_until(lambda: len(g.workers()) == 1, g.said)
            if name == "shared":
                wait_until(lambda: "listens again" in g.said(), g.said)
            else:
                self.assertNotIn("listens again", g.said())
            self.assertIn("generation 2", ask(address))
            self.assertEqual(g.reload().returncode, 0)
            wait_until(lambda: len(g.workers()) == 1, g.said)
            self.assertIn("generation 3", ask(address))

    def test_a_unix_socket_is_made_anew_by_a_reload(self):
        path = self.path("app.sock")
        g = self.serving(habits=HABITS, options=("-l", "unix:" + path + ",mode=0600"))
        inode = os.stat(path).st_ino
        self.shut(g, path)
        g.wait("READY=1")
        self.assertIn("generation 2", ask(path))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertNotEqual(os.stat(path).st_ino, inode)
        self.assertEqual(g.end(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_name_without_a_file_listens_again_when_nobody_has_it_any_more(self):
        name = "@graced-test-%d" % os.getpid()
        g = self.serving(habits=HABITS, options=("-l", "unix:" + name, "-l", "127.0.0.1:0"))
        self.assertEqual(g.address(), name)
        self.shut(g, name)
        # By a reload that gives up the socket, and another one.
        wait_until(lambda: g.status()["serving"] == 3, g.said)
        self.assertIn("generation 3", ask(name))
        self.assertEqual(g.address(), name)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 4", lambda: ask(name))

    def test_a_name_that_somebody_else_keeps_does_not_cost_reload_after_reload(self):
        name = "@graced-test-kept-%d" % os.getpid()
        g = self.serving(habits=HABITS, options=("-l", "unix:" + name))
        worker = os.pidfd_open(g.workers()[0]["pid"])
        kept = ctypes.CDLL(None).syscall(PIDFD_GETFD, worker, 3, 0)
        self.assertGreaterEqual(kept, 0)
        self.addCleanup(os.close, kept)
        os.close(worker)
        self.shut(g, name)
        wait_until(lambda: g.status()["serving"] == 3, g.said)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.status()["serving"], 4, g.said())
        self.assertEqual(g.address(), name)

    def test_an_inherited_name_is_the_manager_s_to_open_and_reloads_go_on(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("\0graced-test-inherited-%d" % os.getpid())
            s.listen()
            g = self.serving(habits=HABITS, options=("-l", "fd:%d,name=given" % s.fileno(), "-l", "127.0.0.1:0"), pass_fds=(s.fileno(),))
            g.signal(signal.SIGUSR1)
            wait_until(lambda: "only who opened it can" in g.said(), g.said)
            for generation in 2, 3:
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertEqual(g.status()["serving"], generation)
                self.soon("generation %d" % generation, lambda: g.ask(1))
            # Nobody is kept busy by a socket that hangs up for ever.
            worker = g.workers("ready")[0]["pid"]
            wait_until(lambda: resting(worker), g.said)

    def test_whoever_shuts_it_down_for_ever_does_not_keep_graced_busy(self):
        script = self.write("app", '#!/usr/bin/python3 -B\nimport socket, time\n'
                            's = socket.socket(fileno=3)\n'
                            'while True:\n'
                            '    try:\n        s.shutdown(socket.SHUT_RDWR)\n'
                            '    except OSError:\n        pass\n', 0o755)
        g = self.graced("--ready", "after:100ms", command=(script,))
        wait_until(lambda: g.said().count("listens again") >= 3, g.said)
        self.assertEqual(g.status()["phase"], "serving")
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
