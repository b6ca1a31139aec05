"""What happens while one image of graced takes the place of another, when neither looks: it waits for the next one. strace(1)
holds graced there for as long as it takes."""
import functools, os, signal, threading
import own_network
from harness import GRACED, HERE, PATIENCE, ask, for_everybody, main, wait_until
from own_network import free_port
from upgrading import NEXT, UpgradeCase, Window, bad_image

BINDER = for_everybody(os.path.join(HERE, "binder.py"))

# Says STATUS= with what is in the file "words" when it is sent SIGUSR1, and then removes it.
TALKER = '''#!/usr/bin/python3
import os, signal, socket

def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(os.environ["NOTIFY_SOCKET"])
        s.send(text.encode())

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
notify("READY=1")
while signal.sigwait({signal.SIGUSR1, signal.SIGTERM}) == signal.SIGUSR1:
    with open("words") as f:
        notify("STATUS=" + f.read())
    os.unlink("words")
'''


def setUpModule():
    own_network.enter()


class ClosedTooEarly(Exception):
    """What was to happen in the window may have happened after it: the test has shown nothing."""


def until_it_is_in_time(test):
    @functools.wraps(test)
    def tried(self):
        for left in reversed(range(5)):
            try:
                return test(self)
            except ClosedTooEarly:
                self.assertTrue(left, "the window closes too early each time")
            self.doCleanups()
            self.setUp()
    return tried


class InTheWindow(UpgradeCase):
    def held(self, g, binary=NEXT, where="exit"):
        """An upgrade in the middle of its exec: what follows happens there, until it goes on by itself."""
        self.window = Window(self, g, where)
        asked = self.upgrading(g, binary)
        self.window.is_open()
        return asked

    def still(self):
        """It has happened in time."""
        if not self.window.is_held():
            raise ClosedTooEarly

    def test_a_reload_that_is_asked_for_by_signal_happens(self):
        for where in "enter", "exit":
            g = self.serving(name="t" + where)
            asked = self.held(g, where=where)
            g.signal(signal.SIGHUP)
            self.still()
            self.done(asked)
            wait_until(lambda: g.status()["serving"] == 2, g.said)
            self.soon("generation 2 ", g.ask)

    def test_a_stop_is_in_good_order(self):
        g = self.serving(env={"ASAN_OPTIONS": "detect_leaks=0"})  # which cannot look below strace
        worker = g.workers()[0]["pid"]
        self.held(g)
        self.assertEqual(g.process.poll(), None)
        g.signal(signal.SIGTERM)
        self.still()
        self.assertEqual(g.process.wait(PATIENCE), 0, g.said())
        self.assert_nothing_left(g, worker)

    def test_a_worker_that_is_killed_is_replaced_and_its_clients_wait(self):
        g = self.serving()
        address, worker = g.address(), g.workers()[0]["pid"]
        asked = self.held(g)
        os.kill(worker, signal.SIGKILL)
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(address)))
        client.start()
        self.still()
        self.done(asked)
        client.join(PATIENCE)
        self.assertIn("generation 1 ", answers[0])
        wait_until(lambda: not os.path.exists("/proc/%d" % worker), "nobody has reaped it")
        self.assertEqual(g.status()["restarts"], 1)
        self.assertEqual(self.kinds(g).count("worker-exited") + self.kinds(g).count("crashed"), 1, self.kinds(g))

    def test_what_a_worker_says_is_heard(self):
        g = self.graced(command=(self.write("talker", TALKER, 0o755),))
        worker = g.workers()[0]["pid"]
        asked = self.held(g)
        self.write("words", "half of it is done")
        os.kill(worker, signal.SIGUSR1)
        wait_until(lambda: not os.path.exists(self.path("words")))
        self.still()
        self.done(asked)
        wait_until(lambda: g.workers()[0]["status"] == "half of it is done", lambda: g.workers())

    def test_a_bind_of_a_worker_is_answered(self):
        port, again = free_port(), self.path("again")
        g = self.graced(options=(), command=(BINDER, "tcp:%d" % port, "rebind:" + again))
        worker = g.workers()[0]["pid"]
        asked = self.held(g)
        open(again, "w").close()

        def binds():
            for thread in os.listdir("/proc/%d/task" % worker):
                with open("/proc/%d/task/%s/syscall" % (worker, thread)) as f:
                    if f.read().split()[0] in BIND:
                        return True

        wait_until(binds, "the worker does not bind")
        self.still()
        self.done(asked)
        wait_until(lambda: not os.path.exists(again), g.said)
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))

    def test_who_connects_to_the_control_socket_is_answered(self):
        g = self.serving()
        asked = self.held(g)
        answers = []
        client = threading.Thread(target=lambda: answers.append(g.run("status", "--json")))
        client.start()
        self.still()
        self.done(asked)
        client.join(PATIENCE)
        self.assertEqual(answers[0].returncode, 0, answers[0].stderr)

    def test_the_image_that_comes_back_sees_it_as_well(self):
        g = self.serving("--workers", "2")
        worker = g.workers()[0]["pid"]
        asked = self.held(g, bad_image(self.path("bad"), "throws-after"))
        os.kill(worker, signal.SIGKILL)
        g.signal(signal.SIGHUP)
        self.still()
        self.assertIn("it lost its way", self.done(asked, 1))
        self.assert_image(g, GRACED)
        wait_until(lambda: g.status()["serving"] == 2, g.said)
        wait_until(lambda: not os.path.exists("/proc/%d" % worker), "nobody has reaped it")


BIND = {{"x86_64": "49", "aarch64": "200"}.get(os.uname().machine, "")}


for name in [n for n in vars(InTheWindow) if n.startswith("test")]:
    setattr(InTheWindow, name, until_it_is_in_time(getattr(InTheWindow, name)))


if __name__ == "__main__":
    main()
