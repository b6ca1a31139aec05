"""Addresses that nobody will serve any more: clients are refused there, and do not wait for ever."""
import os, signal, socket
import own_network
from harness import Case, HERE, PATIENCE, WORKER, alive, ask, children, for_everybody, main, wait_until

BINDER = for_everybody(os.path.join(HERE, "binder.py"))


def setUpModule():
    own_network.enter()


def refused(address):
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        s.settimeout(PATIENCE)
        try:
            s.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        return False


def port_of(slot):
    return ("127.0.0.1", 20000 + slot)


class Unserved(Case):
    def by_slot(self, *options, habits="", name="t"):
        """Each worker has an address of its own; one leaves with status 0 at SIGUSR2."""
        script = self.write("by-slot", '#!/bin/sh\ntrap "kill -KILL \\$!; exit 0" USR2\n%s tcp:$((20000 + GRACED_WORKER)) '
                            'unix:%s$GRACED_WORKER %s & wait\n' % (BINDER, self.path("unix"), habits), 0o755)
        return self.graced("-w", "2", *options, options=(), command=(script,), name=name)

    def leaves(self, g, slot, signo):
        pid = next(w["pid"] for w in g.workers("ready") if w["worker"] == slot)
        os.kill(pid, signo)
        wait_until(lambda: pid not in [w["pid"] for w in g.workers()])

    def test_the_port_of_a_worker_that_nobody_replaces_refuses_and_the_others_serve(self):
        for rule, signo in (("never", signal.SIGKILL), ("never", signal.SIGUSR2), ("on-failure", signal.SIGUSR2)):
            with self.subTest(rule, signo=signo):
                g = self.by_slot("--restart", rule, name="%s%d" % (rule, signo))
                self.leaves(g, 0, signo)
                wait_until(lambda: refused(port_of(0)))
                wait_until(lambda: refused(self.path("unix0")))
                self.assertIn("generation 1", ask(port_of(1)))
                self.assertIn("generation 1", ask(self.path("unix1")))
                g.end()

    def test_an_old_generation_that_still_listens_there_gets_no_connection_instead(self):
        g = self.by_slot("--restart", "never", "--drain-timeout", "1h", habits="held:" + self.path("go"))
        with socket.create_connection(port_of(0)) as kept:
            kept.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(g.reload().returncode, 0)
            wait_until(lambda: len(g.workers("draining")) == 1, g.said)
            self.write("go", "")
            self.leaves(g, 0, signal.SIGUSR2)
            wait_until(lambda: refused(port_of(0)))
            self.assertIn("generation 2", ask(port_of(1)))

    def test_a_stop_does_not_wait_for_a_replacement_and_neither_do_clients(self):
        g = self.by_slot("--restart-delay", "1h", habits="held:" + self.path("go"))
        self.leaves(g, 0, signal.SIGKILL)
        with socket.create_connection(port_of(0), timeout=PATIENCE) as waiting, socket.create_connection(port_of(1)) as kept:
            kept.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            g.signal(signal.SIGTERM)
            g.wait("STOPPING=1")
            with self.assertRaises(ConnectionResetError):  # it had not been accepted by anybody
                waiting.recv(1)
            self.assertTrue(refused(port_of(0)))
            self.write("go", "")
            self.assertIn(b"generation 1", kept.recv(1000))
        self.assertEqual(g.end(signo=None), 0)

    def test_the_last_one_ends_graced_with_its_own_status(self):
        g = self.by_slot("--restart", "never")
        self.leaves(g, 0, signal.SIGUSR2)
        os.kill(g.workers()[0]["pid"], signal.SIGKILL)
        self.assertEqual(g.end(signo=None), 128 + signal.SIGKILL)
        self.assertTrue(refused(port_of(1)))

    def test_one_that_recycles_itself_leaves_its_address_to_its_replacement(self):
        """It says STOPPING=1 and is gone long before the one that follows is started."""
        script = self.write("recycles", """#!/usr/bin/python3
import os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", 20000))
def say(word):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(word, os.environ["NOTIFY_SOCKET"])
def leave(*_):
    say(b"STOPPING=1")
    sys.exit()
signal.signal(signal.SIGUSR2, leave)
say(b"READY=1")
while True:
    with listener.accept()[0] as c:
        c.recv(65536)
        c.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\npid %d" % os.getpid())
""", 0o755)
        g = self.graced("--restart-delay", "300ms", options=(), command=(script,))
        first = g.workers("ready")[0]["pid"]
        os.kill(first, signal.SIGUSR2)
        wait_until(lambda: not os.path.exists("/proc/%d" % first))
        answer = ask(port_of(0))
        self.assertRegex(answer, r"pid \d+")
        self.assertNotIn(str(first), answer)
        self.assertEqual(g.end(), 0)

    def test_a_helper_that_keeps_the_port_open_does_not_keep_the_next_start_from_it(self):
        """It has left its worker, its group, its session and its environment, and graced had a child before it began: nobody can
        tell whose it is, so it stays when graced ends."""
        def with_a_child():
            if os.fork() == 0:
                os.execlp("sleep", "sleep", "1000")

        helper = self.path("helper")
        adopted = self.write("adopted", """#!/usr/bin/python3
import os, socket, subprocess
listener = socket.create_server(("127.0.0.1", 20000))
os.set_inheritable(listener.fileno(), True)
subprocess.run(["setsid", "--fork", "env", "-i", "sh", "-c", "echo $$ >%s; exec sleep 1000"], close_fds=False, check=True)
while True:
    with listener.accept()[0] as c:
        c.recv(65536)
        c.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\ngeneration 1")
""" % helper, 0o755)
        passed = self.write("passed", "#!/bin/sh\nsetsid --fork env -i sh -c 'echo $$ >%s; exec sleep 1000'\nexec %s ready serve\n"
                            % (helper, WORKER), 0o755)
        for name, options, script in ("adopted", (), adopted), ("passed", ("-l", "127.0.0.1:20000"), passed):
            with self.subTest(name):
                for turn in "first", "second":
                    g = self.graced(options=options, command=(script,), name="%s-%s" % (turn, name), preexec=with_a_child)
                    workers = {w["pid"] for w in g.workers()}
                    self.assertIn("generation 1", ask(port_of(0)))
                    with open(wait_until(lambda: os.path.exists(helper) and os.path.getsize(helper) and helper)) as f:
                        pid = int(f.read())
                    os.unlink(helper)
                    for left in {pid, *children(g.pid)} - workers:
                        self.addCleanup(os.kill, left, signal.SIGKILL)
                    self.assertEqual(g.end(), 0)
                    self.assertTrue(alive(pid))
                    self.assertTrue(refused(port_of(0)))


if __name__ == "__main__":
    main()
