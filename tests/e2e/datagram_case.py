"""graced with a server on UDP behind it, and clients whose flows are watched over a reload."""
import os, time

from datagram_flows import ECHO, Flows
from harness import Case, wait_until
from own_network import free_port

FLOWS = int(os.environ.get("GRACED_FLOWS", "500"))


class DatagramCase(Case):
    def echo(self, *options, host="127.0.0.1", passed=False, port=None, server=ECHO, **more):
        """graced with a server on UDP, and where that is."""
        port = port or free_port()
        script = self.write("echo", server, 0o755)
        if passed:
            text = "[%s]" % host if ":" in host else host
            return self.graced(*options, options=("-l", "udp:%s:%d" % (text, port)), command=(script,), **more), (host, port)
        return self.graced(*options, options=(), command=(script, host, str(port)), **more), (host, port)

    def flows(self, address, many=FLOWS, **more):
        if address[0] in ("::", "0.0.0.0"):
            address = ("::1" if address[0] == "::" else "127.0.0.1", address[1])
        flows = Flows(address, many, **more)
        self.addCleanup(flows.over.set)
        wait_until(lambda: flows.answered() == many, lambda: "%d of %d flows have an answer" % (flows.answered(), many))
        return flows

    def reload(self, g):
        answer = g.reload()
        self.assertEqual(answer.returncode, 0, answer.stderr + g.said())
        return time.monotonic()

    def leaves(self, g, generation):
        wait_until(lambda: all(w["generation"] != generation for w in g.workers()), g.said)

    def check_a_reload(self, g, address, newest=2, many=40, stays=True):
        """Of long flows that talk all the time, and new ones."""
        flows = self.flows(address, many, pause=0.1)
        switched = self.reload(g)
        wait_until(lambda: newest in flows.first_answers(switched + 0.1, time.monotonic()))
        time_of_talk = time.monotonic() + 1
        wait_until(lambda: time.monotonic() >= time_of_talk)
        flows.end()
        self.assertEqual(flows.lost(), 0, "of %d\n%s" % (flows.sent(), g.said()))
        self.assertEqual(flows.first_answers(switched + 0.1, time.monotonic()), {newest})
        if stays:
            self.assertEqual(flows.moves(), [])
        else:
            self.assertEqual({(before, after) for _, before, after in flows.moves()}, {(newest - 1, newest)})
