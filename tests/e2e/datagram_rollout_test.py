"""UDP beside what else a reload may have: probes, a canary, batches, a probation and a rollback; and clients that move."""
import os, re, time
import own_network
from datagram_case import DatagramCase
from datagram_flows import ECHO, ECHO_THAT_FINISHES
from harness import PATIENCE, main, wait_until
from own_network import free_port

# The same on TCP, where nobody is answered.
BOTH = ECHO.replace("s.setblocking(True)\n", """s.setblocking(True)
import threading
if os.environ.get("LISTEN_FDS"):
    t = socket.socket(fileno=4)
    t.setblocking(True)
else:
    t = socket.create_server((host, int(port)))
threading.Thread(target=lambda: [t.accept() for _ in iter(int, 1)], daemon=True).start()
""")


# On one address, each with its share of the flows.
MANY = """#!/usr/bin/python3 -B
import os, select, socket, sys
poll, sockets = select.poll(), {}
for _ in range(600):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", int(sys.argv[1])))
    sockets[s.fileno()] = s
    poll.register(s, select.POLLIN)
while True:
    for number, _ in poll.poll():
        text, client = sockets[number].recvfrom(2048)
        sockets[number].sendto(b"%d %s %s" % (os.getpid(), os.environ["GRACED_GENERATION"].encode(), text), client)
"""


def setUpModule():
    own_network.enter()


class Rollouts(DatagramCase):
    def both(self, *options, passed=False, name="t", **more):
        port = free_port()
        script = self.write("both", BOTH, 0o755)
        where = "127.0.0.1:%d" % port
        if passed:
            return self.graced(*options, options=("-l", "udp:" + where, "-l", where), command=(script,), name=name, **more), ("127.0.0.1", port)
        return self.graced(*options, options=(), command=(script, "127.0.0.1", str(port)), name=name, **more), ("127.0.0.1", port)

    def assert_kept(self, flows, g, moves=frozenset()):
        flows.end()
        self.assertEqual(flows.lost(), 0, "of %d\n%s" % (flows.sent(), g.said()))
        self.assertEqual({(before, after) for _, before, after in flows.moves()}, moves)

    def talks_on(self, flows, since, generations, g):
        """New flows, for a moment, are answered by these."""
        wait_until(lambda: time.monotonic() > since + 0.5)
        self.assertEqual(flows.first_answers(since, time.monotonic() - 0.1), generations, g.said())

    def test_a_canary_gets_no_flow_until_it_serves_which_is_told_once(self):
        for passed in False, True:
            with self.subTest(passed=passed):
                name = "t%d" % passed
                g, address = self.both("--canary", "50%/1h", "--drain", "idle", passed=passed, name=name)
                flows = self.flows(address, 20, pause=0.1)
                reload = self.reloading(g)
                wait_until(lambda: g.status()["canary"], g.said)
                self.talks_on(flows, time.monotonic(), {1}, g)
                self.assertEqual(g.run("abort").returncode, 0, g.said())
                self.assertEqual(reload.wait(PATIENCE), 1)
                self.talks_on(flows, time.monotonic(), {1}, g)
                self.assert_kept(flows, g)
                said = r"udp:?[ :]127.0.0.1:%d.* cannot be shared out: it goes over when (this generation|the candidate) serves" % address[1]
                self.assertEqual(len(re.findall(said, g.said())), 1, g.said())

    def test_a_canary_that_serves_in_the_end_gets_the_new_flows(self):
        g, address = self.both("--canary", "50%/100ms")
        self.check_a_reload(g, address)

    def test_a_candidate_that_is_probed_hears_nothing(self):
        for passed in False, True:
            with self.subTest(passed=passed):
                probe = "exec:test -e %s,interval=200ms,timeout=10min,fails=1000" % self.path("passes")
                self.write("passes", "")
                g, address = self.both("--probe", probe, "--drain", "idle", passed=passed, name="t%d" % passed)
                os.unlink(self.path("passes"))
                flows = self.flows(address, 20, pause=0.1)
                reload = self.reloading(g)
                wait_until(lambda: any(w["generation"] == 2 and w["state"] == "ready" for w in g.workers()), g.said)
                self.talks_on(flows, time.monotonic(), {1}, g)
                self.write("passes", "")
                self.assertEqual(reload.wait(PATIENCE), 0, g.said())
                self.talks_on(flows, time.monotonic() + 0.1, {2}, g)
                self.assert_kept(flows, g)

    def test_batches_have_the_new_flows_as_they_come_and_old_ones_stay(self):
        g, address = self.echo("--workers", "4", "--max-surge", "2", "--udp-flow-timeout", "1s", "--drain-timeout", "10min")
        flows = self.flows(address, 40, pause=0.1)
        reload = self.reloading(g)
        # The second batch waits until the workers leave whose place it takes, and those have flows.
        wait_until(lambda: g.status()["batches"], g.said)
        wait_until(lambda: 2 in flows.first_answers(time.monotonic() - 1, time.monotonic()), g.said)
        self.assert_kept(flows, g)
        self.assertEqual(reload.wait(PATIENCE), 0, g.said())
        self.check_a_reload_after(g, address)

    def check_a_reload_after(self, g, address):
        after = self.flows(address, 20, pause=0.1)
        self.assertEqual(after.first_answers(0, time.monotonic()), {2})
        self.assert_kept(after, g)

    def test_batches_share_what_they_are_passed_and_lose_nothing(self):
        # Since they do, nothing could be let go before the signal.
        g, address = self.echo("--workers", "4", "--max-surge", "2", passed=True, server=ECHO_THAT_FINISHES)
        flows = self.flows(address, 40, pause=0.1)
        self.reload(g)
        flows.end()
        self.assertEqual(flows.lost(), 0, g.said())
        self.check_a_reload_after(g, address)

    def test_a_generation_that_stands_by_or_drains_keeps_its_flows_and_gets_new_ones_after_a_rollback(self):
        for passed, drain in (False, "idle"), (True, "idle"), (True, "signal"):
            with self.subTest(passed=passed, drain=drain):
                g, address = self.echo("--probation", "10min", "--drain", drain, "--drain-timeout", "10min", passed=passed,
                                       name="t%d%s" % (passed, drain))
                self.check_called_back(g, address, moves=set() if drain == "idle" else {(2, 1)})
        with self.subTest("without a probation"):
            g, address = self.echo("--drain-timeout", "10min")
            self.check_called_back(g, address)

    def test_a_switch_that_fails_is_made_up_for(self):
        """More sockets than the kernel's map has room for, until the old ones are closed."""
        port = free_port()
        g = self.graced(options=("--drain-timeout", "10min"), command=(self.write("many", MANY, 0o755), str(port)))
        answer = g.reload()
        self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
        self.leaves(g, 1)
        self.assertEqual(g.said().count("goes where it went before: more than 1024 datagram sockets"), 1, g.said())
        flows = self.flows(("127.0.0.1", port), 20, pause=0.1, new=0)
        counted = lambda: [(u["generation"], u["flows"]) for u in g.status()["udp"] if u["flows"]]
        wait_until(lambda: counted() == [(2, 20)], lambda: "%s\n%s" % (counted(), g.said()))
        flows.end()

    def test_a_rollback_without_privilege_loses_nothing(self):
        g, address = self.echo("--drain-timeout", "10min", "--probation", "10min", preexec=self.as_nobody)
        self.check_called_back(g, address, moves={(1, 2), (2, 1)})

    def check_called_back(self, g, address, moves=frozenset()):
        """moves: of flows; none: also what the generation that is rolled back has begun stays until that leaves."""
        flows = self.flows(address, 20, pause=0.1)
        switched = self.reload(g)
        wait_until(lambda: 2 in flows.first_answers(switched + 0.1, time.monotonic() - 0.2))
        second = self.flows(address, 5, pause=0.1, new=0)
        until = time.monotonic()
        answer = g.run("rollback")
        self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
        back = time.monotonic()
        wait_until(lambda: 1 in flows.first_answers(back + 0.1, time.monotonic()))
        flows.end()
        second.end()
        self.assertEqual((flows.lost(), second.lost()), (0, 0), g.said())
        self.assertEqual(flows.first_answers(switched + 0.1, until - 0.1), {2})
        self.assertEqual(flows.first_answers(back + 0.1, time.monotonic()), {1})
        self.assertEqual({(before, after) for _, before, after in flows.moves() + second.moves()}, moves)
        newest = self.reload(g)  # and is switched as ever
        again = self.flows(address, 5, pause=0.1)
        again.end()
        self.assertEqual(again.first_answers(newest, time.monotonic()), {3})

    def test_a_client_whose_address_changes_reaches_the_newest_and_its_old_one_the_old(self):
        """As behind a NAT that has forgotten it: for the kernel that is another client."""
        g, address = self.echo("--drain-timeout", "10min")
        flows = self.flows(address, 20, pause=0.1, new=0)
        self.reload(g)
        moved = self.flows(address, 20, pause=0.1, new=0)
        self.assertEqual({flow.answers[0][1] for flow in moved.flows}, {2})
        self.assert_kept(moved, g)
        self.assert_kept(flows, g)
        self.assertEqual({flow.answers[-1][1] for flow in flows.flows}, {1})


if __name__ == "__main__":
    main()
