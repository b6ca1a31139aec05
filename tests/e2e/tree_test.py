"""Workers that are more than one process: a server below a shell, a server that forks, helpers and hooks. What a worker's own
process leaves behind finishes what it has, as the worker would have."""
import os, signal, socket
import own_network
from harness import WORKER, Case, GRACED, PATIENCE, alive, ask, main, wait_until

# Answers "pid P generation G". A request for /held is answered when the file `go` is there; that it has come is said by a line
# in the file `taken`. Habits: graceful (at SIGTERM it finishes and leaves; else it dies), fork (a child for each connection,
# which dies of SIGTERM), bind (an address of its own, else descriptor 3).
SERVER = """#!/usr/bin/python3 -S
import os, select, signal, socket, sys, threading
here, habits = sys.argv[1], sys.argv[2:]
leaving = threading.Event()
if "bind" in habits:
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=128)
else:
    listener = socket.socket(fileno=3)
os.set_blocking(listener.fileno(), True)
reader, writer = os.pipe()
if "graceful" in habits:
    signal.signal(signal.SIGTERM, lambda *_: os.write(writer, b"x"))
def answer(c):
    with c:
        request = c.recv(65536)
        if request.startswith(b"GET /held"):
            with open(here + "/taken", "a") as f:
                f.write("%d\\n" % os.getpid())
            while not os.path.exists(here + "/go"):
                select.select([], [], [], 0.005)
            print("answered", flush=True)
        body = b"pid %d generation %s" % (os.getpid(), os.environ["GRACED_GENERATION"].encode())
        c.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n" + body)
if "READY" in habits:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
threads = []
while not select.select([listener, reader], [], [])[0].count(reader):
    c = listener.accept()[0]
    if "fork" in habits:
        if os.fork() == 0:
            listener.close()
            answer(c)
            os._exit(0)
        c.close()
    else:
        threads.append(threading.Thread(target=answer, args=(c,)))
        threads[-1].start()
listener.close()
for t in threads:
    t.join()
"""


def setUpModule():
    own_network.enter()


class Held:
    """A request that the server has, and does not answer yet."""

    def __init__(self, case, address):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        case.addCleanup(self.socket.close)
        self.socket.sendall(b"GET /held HTTP/1.1\r\n\r\n")
        taken = case.path("taken")
        wait_until(lambda: os.path.exists(taken) and os.path.getsize(taken), "nobody took it")
        with open(taken) as f:
            self.pid = int(f.read())
        os.unlink(taken)

    def answer(self):
        text = b""
        while part := self.socket.recv(65536):
            text += part
        return text.partition(b"\r\n\r\n")[2].decode()


class Tree(Case):
    def server(self, *habits):
        return " ".join([self.write("server", SERVER, 0o755), self.directory, *habits])

    port = 20000

    def below_a_shell(self, *options, habits=("graceful",), script="#!/bin/sh\n%s\ntrue\n", **more):
        Tree.port += 1  # those of the test before may be on their way out
        app = self.write("app", script % self.server(*habits), 0o755)
        listen = () if "bind" in habits else ("-l", "127.0.0.1:%d" % self.port)
        return self.graced("--env", "PORT=%d" % self.port, *options, command=(app,), options=listen, **more)

    def finishing(self, g):
        """What of an old worker finishes, by PID."""
        found = [w["waits_for"] for w in g.workers("draining") if "of it finishes" in w["waits_for"]]
        return found and found[0]

    def finishes(self, g, held):
        wait_until(lambda: "PID %d (" % held.pid in (self.finishing(g) or ""), lambda: "%d %r\n%s" % (held.pid, g.workers(), g.said()))
        self.assertIn("PID %d (" % held.pid, g.run("status").stdout)
        self.write("go", "")
        self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
        wait_until(lambda: not g.workers("draining"), g.said)
        self.assertFalse(alive(held.pid))


class Reload(Tree):
    def test_a_request_in_flight_in_a_server_below_a_shell_is_answered(self):
        for name, script in [("shell", "#!/bin/sh\n%s\ntrue\n"), ("nested", "#!/bin/sh\nsh -c '%s; true'\ntrue\n"),
                             ("background", "#!/bin/bash\n%s &\nwait\n")]:
            with self.subTest(name):
                g = self.below_a_shell(script=script, name=name)
                held = Held(self, g.address())
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.finishes(g, held)
                self.soon("generation 2", g.ask)
                self.assertEqual(g.end(), 0)
                os.unlink(self.path("go"))

    def test_the_children_of_a_forking_server_finish_though_the_signal_would_end_them(self):
        g = self.below_a_shell(habits=("fork",), script="#!/bin/sh\nexec %s\n")
        held = Held(self, g.address())
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.finishes(g, held)

    def test_what_the_server_needs_to_finish_is_not_ended_before_it(self):
        """Who reads its output: without it the server could not say a word any more."""
        g = self.below_a_shell(script="#!/bin/sh\n%%s | cat >%s\ntrue\n" % self.path("output"))
        held = Held(self, g.address())
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: self.finishing(g), g.said)
        self.write("go", "")
        self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
        wait_until(lambda: not g.workers("draining"), g.said)
        with open(self.path("output")) as f:
            self.assertEqual(f.read(), "answered\n")

    def test_a_retired_worker_whose_process_ends_is_not_done_while_its_children_have_connections(self):
        for name, habits, options in [("adopted", ("fork", "bind"), ()), ("passed", ("fork",), ("--drain", "idle"))]:
            with self.subTest(name):
                g = self.below_a_shell(*options, habits=habits, script="#!/bin/sh\nexec %s\n", name=name)
                old = g.workers("ready")[0]["pid"]
                held = Held(self, ("127.0.0.1", self.port))
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertNotEqual(held.pid, old)
                os.kill(old, signal.SIGKILL)
                wait_until(lambda: self.finishing(g), g.said)
                wait_until(lambda: any(w["connections"] == 1 for w in g.workers("draining")), g.said)
                self.write("go", "")
                self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
                wait_until(lambda: not g.workers("draining"), g.said)
                self.assertEqual(g.end(), 0)
                os.unlink(self.path("go"))

    def test_one_that_is_stopped_hears_the_drain_signal(self):
        g = self.below_a_shell("--drain-timeout", "infinity", script="#!/bin/sh\nexec %s\n")
        old = g.workers("ready")[0]["pid"]
        os.kill(old, signal.SIGSTOP)
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: not alive(old), g.said)

    def test_at_the_deadline_what_is_left_is_hammered(self):
        g = self.below_a_shell("--drain-timeout", "1s")
        held = Held(self, g.address())
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: not alive(held.pid), g.said)
        wait_until(lambda: "is hammered" in g.said())
        wait_until(lambda: not g.workers("draining") + g.workers("killed"), g.said)

    def test_the_hammer_does_not_wait(self):
        for name, hammer in ("hammer", lambda g: g.run("hammer")), ("usr2", lambda g: g.signal(signal.SIGUSR2)):
            with self.subTest(name):
                g = self.below_a_shell("--drain-timeout", "infinity", name=name)
                held = Held(self, g.address())
                self.assertEqual(g.reload().returncode, 0, g.said())
                wait_until(lambda: self.finishing(g), g.said)
                hammer(g)
                wait_until(lambda: not alive(held.pid), g.said)
                wait_until(lambda: len(g.workers()) == 1, g.said)
                self.assertEqual(g.end(), 0)

    def test_a_failed_candidate_below_a_shell_leaves_nothing(self):
        g = self.below_a_shell()
        pid = self.path("pid")
        self.write("app", "#!/bin/sh\nsleep 1000 &\necho $! >%s\nexit 3\n" % pid, 0o755)
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("exited with status 3", r.stderr)
        with open(pid) as f:
            left = int(f.read())
        wait_until(lambda: not alive(left), g.said)
        self.assertIn("generation 1", g.ask())


class Stop(Tree):
    def test_a_request_in_flight_in_a_server_below_a_shell_is_answered(self):
        for name, habits, options in [("passed", ("graceful",), ()), ("idle", ("graceful",), ("--drain", "idle")),
                                      ("adopted", ("graceful", "bind"), ()), ("forked", ("fork",), ())]:
            with self.subTest(name):
                g = self.below_a_shell(*options, habits=habits, name=name)
                held = Held(self, ("127.0.0.1", self.port))
                g.signal(signal.SIGTERM)
                g.wait("STOPPING=1")
                if name in ("passed", "forked"):
                    wait_until(lambda: self.finishing(g), g.said)
                self.write("go", "")
                self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
                self.assertEqual(g.end(signo=None), 0)
                self.assertFalse(alive(held.pid))
                os.unlink(self.path("go"))

    def test_the_second_term_does_not_wait(self):
        g = self.below_a_shell("--stop-timeout", "infinity")
        held = Held(self, g.address())
        g.signal(signal.SIGTERM)
        wait_until(lambda: self.finishing(g), g.said)
        g.signal(signal.SIGTERM)
        self.assertEqual(g.end(signo=None), 0)
        self.assertFalse(alive(held.pid))

    def test_restart_never_ends_with_the_status_of_the_process_when_all_of_it_has_finished(self):
        leave = self.path("leave")
        g = self.below_a_shell("--restart", "never",
                               script="#!/bin/sh\n%%s &\nwhile ! [ -e %s ]; do sleep 0.01; done\nexit 7\n" % leave)
        held = Held(self, g.address())
        self.write("leave", "")
        wait_until(lambda: self.finishing(g), g.said)
        self.write("go", "")
        self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
        self.assertEqual(g.end(signo=None), 7)


class Crash(Tree):
    def test_what_a_killed_worker_has_started_finishes_while_another_serves(self):
        for name, habits in ("graceful", ("graceful",)), ("forked", ("fork",)), ("adopted", ("fork", "bind")):
            with self.subTest(name):
                g = self.below_a_shell("--restart-delay", "10ms", habits=habits, name=name,
                                       script="#!/bin/sh\nexec %s\n" if "fork" in habits else "#!/bin/sh\n%s\ntrue\n")
                first = g.workers("ready")[0]["pid"]
                held = Held(self, ("127.0.0.1", self.port))
                os.kill(first, signal.SIGKILL)
                wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != first], g.said)
                for _ in range(5):
                    self.assertNotIn(str(held.pid), ask(("127.0.0.1", self.port)))
                self.finishes(g, held)
                self.assertEqual(g.end(), 0)
                os.unlink(self.path("go"))


    def test_what_came_before_its_replacement_was_there_is_answered_by_that(self):
        """Though a helper that outlives it holds the socket as well, and does not accept."""
        g = self.below_a_shell("--restart-delay", "300ms", habits=("fork", "bind"), script="#!/bin/sh\nexec %s\n")
        held = Held(self, ("127.0.0.1", self.port))
        first = g.workers("ready")[0]["pid"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: self.finishing(g), g.said)
        self.assertRegex(ask(("127.0.0.1", self.port)), "generation 1")
        self.finishes(g, held)


class Background(Case):
    """What a worker has started in a session of its own, with an environment that says nothing."""

    DAEMON = """#!/bin/sh
trap 'echo told >>"%(said)s"; exit' TERM
echo $$ >>"%(pids)s"
while :; do sleep 0.05; done
"""

    def started(self, *options, behaves=DAEMON):
        names = {"said": self.path("said"), "pids": self.path("pids")}
        daemon = self.write("daemon", behaves % names, 0o755)
        app = self.write("app", '#!/bin/sh\n(setsid env -i "%s" </dev/null >/dev/null 2>&1 &)\nexec "%s" ready serve\n' % (daemon, WORKER), 0o755)
        g = self.graced(*options, command=(app,))
        self.addCleanup(self.end_daemons)
        return g

    def daemons(self, count):
        def pids():
            try:
                with open(self.path("pids")) as f:
                    return [int(line) for line in f if line.endswith("\n")]
            except OSError:
                return []
        wait_until(lambda: len(pids()) >= count)
        return pids()

    def end_daemons(self):
        for pid in self.daemons(0):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def replace(self, g):
        os.kill(g.workers("ready")[0]["pid"], signal.SIGKILL)
        wait_until(lambda: g.status()["restarts"] == 1 and g.workers("ready"), g.said)

    def test_that_of_a_replaced_worker_is_told_to_leave_at_a_stop_and_not_left_behind(self):
        g = self.started("--restart-delay", "1ms")
        self.daemons(1)
        self.replace(g)
        first, second = self.daemons(2)
        self.assertEqual(g.end(), 0)
        for pid in first, second:
            self.assertFalse(alive(pid), g.said())
        with open(self.path("said")) as f:
            self.assertEqual(f.read(), "told\ntold\n")

    def test_one_that_does_not_leave_is_killed_when_the_time_of_a_stop_is_over(self):
        g = self.started("--stop-timeout", "500ms", behaves=self.DAEMON.replace("; exit' TERM", "' TERM"))
        pid, = self.daemons(1)
        self.assertEqual(g.end(), 0)
        self.assertFalse(alive(pid), g.said())
        self.assertIn("is hammered", g.said())


class Hook(Tree):
    """A deploy hook that a worker runs, and that asks for the reload."""

    HOOK = "#!/bin/sh\n%s reload --control %s >%s 2>&1\nwhile ! [ -e %s ]; do sleep 0.01; done\necho finished >>%s\n"

    def test_it_is_not_ended_by_the_reload_it_has_asked_for(self):
        said, go = self.path("said"), self.path("go")
        for name, start in ("child", "%s &"), ("daemon", "setsid %s &"):
            with self.subTest(name):
                hook = self.write("hook", self.HOOK % (GRACED, self.path(name + ".control"), said, go, said), 0o755)
                g = self.below_a_shell(name=name, script="#!/bin/sh\ntrap '%s' USR1\n%%s &\nwhile :; do wait; done\n" % (start % hook))
                self.write("app", "#!/bin/sh\nexec %s\n" % self.server("graceful"), 0o755)
                g.signal(signal.SIGUSR1)
                wait_until(lambda: self.finishing(g) and "(hook)" in self.finishing(g), g.said)
                self.soon("generation 2", g.ask)
                self.assertTrue(self.finishing(g))
                self.write("go", "")
                wait_until(lambda: not g.workers("draining"), g.said)
                with open(said) as f:
                    self.assertRegex(f.read(), "^.*: generation 2 serves\nfinished\n$")
                self.assertEqual(g.end(), 0)
                os.unlink(go)

    def test_the_server_that_runs_it_is_told_to_leave(self):
        """It stands between the shell and the hook."""
        hook = self.write("hook", self.HOOK % (GRACED, self.path("t.control"), self.path("said"), self.path("go"), self.path("said")), 0o755)
        server = self.write("server", SERVER.replace("threads = []", "threads = []\nsignal.signal(signal.SIGUSR2, lambda *_: "
                                                                     "os.spawnv(os.P_NOWAIT, %r, [%r]))" % (hook, hook)), 0o755)
        app = self.write("app", "#!/bin/sh\n%s %s graceful\ntrue\n" % (server, self.directory), 0o755)
        g = self.graced(command=(app,))
        held = Held(self, g.address())
        self.write("app", "#!/bin/sh\nexec %s %s graceful\n" % (server, self.directory), 0o755)
        os.kill(held.pid, signal.SIGUSR2)
        wait_until(lambda: self.finishing(g), g.said)
        self.write("go", "")
        self.assertEqual(held.answer(), "pid %d generation 1" % held.pid)
        wait_until(lambda: not g.workers("draining"), g.said)
        self.assertFalse(alive(held.pid))


if __name__ == "__main__":
    main()
