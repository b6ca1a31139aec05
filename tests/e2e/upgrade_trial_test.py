"""The image on trial has all that graced has open: what happens meanwhile must not be the worse for it."""
import own_network
from datagram_case import DatagramCase
from harness import GRACED, ask, main, wait_until
from upgrading import UpgradeCase, bad_image


def setUpModule():
    own_network.enter()


class Trials(DatagramCase, UpgradeCase):
    def on_trial(self, g):
        """One that hangs: it is there until its time is over."""
        process = self.upgrading(g, bad_image(self.path("hangs"), "hangs"))
        wait_until(lambda: "an upgrade to" in g.said() and len(self.children(g)) > len(g.workers()), g.said)
        return process

    def children(self, g):
        with open("/proc/%d/task/%d/children" % (g.pid, g.pid)) as f:
            return f.read().split()

    def over(self, g, process):
        self.assertIn("it did not answer and end within", self.done(process, 1))
        self.upgraded(g, GRACED)

    def test_a_datagram_goes_to_nobody_who_has_left(self):
        for passed in False, True:
            with self.subTest(passed=passed):
                g, address = self.echo("--drain", "idle", passed=passed, name="t%d" % passed, preexec=self.as_nobody)
                flows = self.flows(address, 40, pause=0.1)
                process = self.on_trial(g)
                self.reload(g)
                self.leaves(g, 1)
                self.over(g, process)
                flows.end()
                self.assertEqual(flows.lost(), 0, "of %d\n%s" % (flows.sent(), g.said()))
                g.end()

    def test_a_connection_reaches_nobody_who_has_left(self):
        for options in ((), ("--drain", "idle"), ("--drain", "signal")):
            with self.subTest(options=options):
                g = self.serving(*options, name="t%d" % len(" ".join(options)), preexec=self.as_nobody)
                process = self.on_trial(g)
                for generation in 2, 3:
                    self.assertEqual(g.run("reload").returncode, 0, g.said())
                    # A worker that shares the socket may accept until it has heard the signal.
                    answering = (generation - 1, generation) if "signal" in options else (generation,)
                    for _ in range(20):
                        self.assertRegex(ask(g.address()), r"generation (%s) " % "|".join(map(str, answering)))
                    self.leaves(g, generation - 1)
                    for _ in range(20):
                        self.assertIn("generation %d" % generation, ask(g.address()))
                self.over(g, process)
                g.end()


if __name__ == "__main__":
    main()
