"""UDP: a flow stays with the generation that it began with until that leaves, a new one goes to the newest, and nothing
is lost."""
import os, signal, socket, time
import own_network
from datagram_case import DatagramCase
from datagram_flows import ECHO
from harness import PATIENCE, descriptors, main, wait_for_no_more_descriptors, wait_until
from own_network import free_port

# As nginx with quic_bpf has: a map of its sockets, and a program that chooses from it, here always the first.
OWN_PROGRAM = '''import ctypes, struct
BPF, MAP_CREATE, MAP_UPDATE_ELEM, PROG_LOAD, REUSEPORT_SOCKARRAY, SK_REUSEPORT = 321, 0, 2, 5, 20, 21
SK_SELECT_REUSEPORT, SO_ATTACH_REUSEPORT_EBPF = 82, 52
libc = ctypes.CDLL(None)
def bpf(command, attributes):
    done = libc.syscall(BPF, command, attributes.ljust(128, bytes(1)), 128)
    assert done >= 0
    return done
array = bpf(MAP_CREATE, struct.pack("IIIII", REUSEPORT_SOCKARRAY, 4, 8, 1, 0))
key, value = ctypes.create_string_buffer(bytes(4)), ctypes.create_string_buffer(struct.pack("Q", s.fileno()))
bpf(MAP_UPDATE_ELEM, struct.pack("IIQQQ", array, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
def do(code, to=0, source=0, offset=0, number=0):
    return struct.pack("BBhi", code, source << 4 | to, offset, number)
text = ctypes.create_string_buffer(b"".join([
    do(0x62, 10, offset=-4),  # key 0, on the stack
    do(0x18, 2, 1, number=array), do(0),
    do(0xbf, 3, 10), do(0x07, 3, number=-4),
    do(0xb7, 4), do(0x85, number=SK_SELECT_REUSEPORT),
    do(0xb7, 0, number=1), do(0x95)]))
license = ctypes.create_string_buffer(b"GPL")
program = bpf(PROG_LOAD, struct.pack("IIQQ", SK_REUSEPORT, 9, ctypes.addressof(text), ctypes.addressof(license)))
s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, program)
s.setblocking(True)'''

RELOADS = int(os.environ.get("GRACED_RELOADS", "10"))


def setUpModule():
    own_network.enter()


class Datagrams(DatagramCase):
    def test_500_flows_stay_where_they_are_through_ten_reloads_and_nothing_is_lost_at_the_limit(self):
        limit = 24.0  # of which the last second is the grace
        g, address = self.echo("--drain-timeout", "24s", "--drain-grace", "1s", "--max-draining", "20")
        flows = self.flows(address)
        switched = {1: time.monotonic()}
        alive = 0
        for generation in range(2, RELOADS + 2):
            switched[generation] = self.reload(g)
            alive = max(alive, len(g.workers()))
            next_one = time.monotonic() + 0.9
            wait_until(lambda: time.monotonic() >= next_one)
            alive = max(alive, len(g.workers()))
        self.leaves(g, RELOADS - 1)
        flows.end()
        self.assertGreaterEqual(alive, 3)
        self.assertEqual(flows.lost(), 0, "of %d\n%s" % (flows.sent(), g.said()))
        for when, before, after in flows.moves():
            self.assertLess(before, after)
            self.assertGreaterEqual(when - switched[before + 1], limit - 1 - 0.5,
                                    "moved from generation %d to %d\n%s" % (before, after, g.said()))
        for generation in range(2, RELOADS + 2):
            until = switched.get(generation + 1, time.monotonic()) - 0.5
            self.assertEqual(flows.first_answers(switched[generation] + 0.1, until), {generation}, g.said())

    def test_a_generation_leaves_when_no_flow_of_its_was_heard_for_a_while(self):
        g, address = self.echo("--udp-flow-timeout", "1s", "--drain-timeout", "10min")
        flows = self.flows(address, 20, pause=0.2)
        self.reload(g)
        self.assertRegex(g.workers("retiring")[0]["waits_for"] if g.workers("retiring") else g.workers()[0]["waits_for"],
                         r"UDP flows, heard .* ago")
        flows.end()
        self.leaves(g, 1)
        self.assertEqual(flows.lost(), 0)
        self.assertEqual(flows.moves(), [])

    def test_status_tells_flows_and_datagrams_of_each_generation(self):
        g, address = self.echo()
        flows = self.flows(address, 30, pause=0.1, new=0)
        self.reload(g)
        other = self.flows(address, 20, pause=0.1, new=0)
        traffic = {u["generation"]: u for u in g.status()["udp"]}
        self.assertEqual((traffic[1]["flows"], traffic[2]["flows"]), (30, 20))
        self.assertGreaterEqual(traffic[1]["datagrams"], 30)
        self.assertGreaterEqual(traffic[2]["datagrams"], 20)
        self.assertRegex(g.run("status").stdout, r"udp +generation 1: 30 flows, \d+ datagrams\n +generation 2: 20 flows, \d+ datagrams")
        flows.end()
        other.end()

    def test_ipv4_ipv6_and_both_at_once(self):
        for host in "127.0.0.1", "0.0.0.0", "::1", "::":
            with self.subTest(host=host):
                name = "t%d" % free_port()
                g, address = self.echo(host=host, name=name)
                self.check_a_reload(g, address)
                if host == "::":
                    self.check_a_reload(g, ("127.0.0.1", address[1]), newest=3)
                g.end()

    def test_sockets_of_listen_with_idle_drain(self):
        for host in "127.0.0.1", "::":
            with self.subTest(host=host):
                g, address = self.echo("--drain", "idle", passed=True, host=host, name="t%d" % free_port())
                self.check_a_reload(g, address)
                g.end()

    def test_sockets_of_listen_go_to_the_new_generation_at_once_and_nothing_is_lost(self):
        g, address = self.echo(passed=True)
        for newest in range(2, 6):
            self.check_a_reload(g, address, newest=newest, stays=False)

    def test_four_workers_each_with_a_socket_of_its_own(self):
        g, address = self.echo("--workers", "4")
        self.check_a_reload(g, address)

    def test_four_workers_share_what_they_are_passed(self):
        g, address = self.echo("--workers", "4", "--drain", "idle", passed=True)
        self.check_a_reload(g, address)

    def test_without_privilege_all_goes_to_the_newest_and_nothing_is_lost(self):
        for passed in False, True:
            with self.subTest(passed=passed):
                g, address = self.echo("--drain", "idle", passed=passed, name="t%d" % passed, preexec=self.as_nobody)
                for newest in 2, 3, 4:
                    self.check_a_reload(g, address, newest=newest, stays=False)
                self.assertEqual(g.said().count("UDP: flows cannot be remembered without CAP_BPF"), 1, g.said())
                g.end()

    def test_without_privilege_four_workers(self):
        g, address = self.echo("--workers", "4", preexec=self.as_nobody)
        for newest in 2, 3:
            self.check_a_reload(g, address, newest=newest, stays=False)

    def test_flows_off_sends_all_to_the_newest(self):
        g, address = self.echo("--udp-flows", "off")
        self.check_a_reload(g, address, stays=False)

    def test_a_candidate_that_fails_hears_nothing(self):
        """Though it has bound the address, and many ask meanwhile."""
        port, bound, release = free_port(), self.path("bound"), self.path("release")
        os.mkfifo(release)
        good = ECHO.replace("while True:", "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\nwhile True:")
        bad = ECHO.replace("while True:", "open(%r, 'w').close(); open(%r).read(); sys.exit(3)\nwhile True:" % (bound, release))
        wrapper = self.write("app", '#!/bin/sh\n[ -e "%s" ] && exec %s 127.0.0.1 %d\nexec %s 127.0.0.1 %d\n' % (
            self.path("bad"), self.write("bad-echo", bad, 0o755), port, self.write("echo", good, 0o755), port), 0o755)
        g = self.graced(options=("--ready", "notify", "--ready-timeout", "10min"), command=(wrapper,))
        flows = self.flows(("127.0.0.1", port), 40, pause=0.05)
        self.write("bad", "")
        for _ in range(3):
            reload = self.reloading(g)
            wait_until(lambda: os.path.exists(bound), g.said)
            sent = flows.sent()
            wait_until(lambda: flows.sent() > sent + 200, g.said)
            os.unlink(bound)
            with open(release, "w"):
                pass
            self.assertEqual(reload.wait(PATIENCE), 1)
        os.unlink(self.path("bad"))
        flows.end()
        self.assertEqual(flows.lost(), 0, g.said())
        self.assertEqual(flows.moves(), [])

    def test_a_worker_that_dies_leaves_its_flows_to_the_others(self):
        g, address = self.echo("--workers", "2", "--restart-delay", "10min")
        flows = self.flows(address, 40, pause=0.1)
        victim = g.workers()[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: all(w["pid"] != victim for w in g.workers()))
        settled = time.monotonic()
        wait_until(lambda: time.monotonic() > settled + 0.5)
        pids = {flow.pid for flow in flows.flows if flow.lasts}
        flows.end(patience=0)  # what waited in its socket is lost
        self.assertEqual(len(pids), 1, g.said())

    def test_what_is_bound_late_is_the_kernels(self):
        port, late = free_port(), free_port()
        script = self.write("app", ECHO.replace("while True:", '''late = None
while True:
    if late is None and os.path.exists(%r):
        late = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        late.bind(("127.0.0.1", %d))''' % (self.path("bind"), late)), 0o755)
        g = self.graced(options=("--drain-timeout", "5s"), command=(script, "127.0.0.1", str(port)))
        self.write("bind", "")
        flows = self.flows(("127.0.0.1", port), 1)
        wait_until(lambda: "udp 127.0.0.1:%d" % late in str(g.status()["addresses"]))
        os.unlink(self.path("bind"))
        self.assertEqual({a["address"]: a["handoff"] for a in g.status()["addresses"]},
                         {"udp 127.0.0.1:%d" % port: "switched", "udp 127.0.0.1:%d" % late: "none"})
        self.reload(g)
        flows.end()

    def test_whoever_replaces_the_only_worker_is_heard(self):
        g, address = self.echo("--restart-delay", "10ms")
        flows = self.flows(address, 10, pause=0.05)
        killed = g.workers()[0]["pid"]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: all(flow.pid != killed for flow in flows.flows if flow.lasts))
        flows.end(patience=0)  # until there was another nobody heard

    def test_multicast_is_told_in_status(self):
        port = free_port()
        script = self.write("app", ECHO.replace("s.setblocking(True)", '''s.setsockopt(
    socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + socket.inet_aton("127.0.0.1"))
s.setblocking(True)'''), 0o755)
        g = self.graced(options=(), command=(script, "0.0.0.0", str(port)))
        self.assertEqual(g.status()["addresses"], [{"name": "adopted", "address": "udp 0.0.0.0:%d" % port, "handoff": "multicast"}])
        flows = self.flows(("127.0.0.1", port), 1)  # for which the first generation stays
        self.check_a_reload(g, ("127.0.0.1", port))
        self.assertEqual(self.answers_of_group(port), {1, 2})
        flows.end()

    def answers_of_group(self, port):
        """Of which generations."""
        heard = set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            s.settimeout(PATIENCE)
            s.sendto(b"1", ("239.1.2.3", port))
            for _ in range(2):
                heard.add(int(s.recv(256).split()[1]))
        return heard

    def test_a_server_with_a_program_of_its_own_is_left_alone(self):
        port = free_port()
        script = self.write("app", ECHO.replace("s.setblocking(True)", OWN_PROGRAM).replace(
            "    s.bind(", "    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n    s.bind("), 0o755)
        g = self.graced(options=(), command=(script, "127.0.0.1", str(port)))
        self.assertEqual([a["handoff"] for a in g.status()["addresses"]], ["own-program"])
        self.assertIn("udp 127.0.0.1:%d is steered by a program of the server's own, and left to that" % port, g.said())
        # The newest program is the one that the kernel asks, and each here knows its own generation's socket only.
        flows = self.flows(("127.0.0.1", port), 10, pause=0.1)
        switched = self.reload(g)
        wait_until(lambda: all(flow.answers[-1][1] == 2 for flow in flows.flows if flow.lasts), g.said)
        wait_until(lambda: 2 in flows.first_answers(switched + 0.1, time.monotonic()))
        flows.end(patience=0)
        self.assertEqual(flows.first_answers(switched + 0.1, time.monotonic()), {2})
        self.assertEqual([a["handoff"] for a in g.status()["addresses"]], ["own-program"])

    def test_nothing_grows(self):
        g, address = self.echo("--udp-flow-timeout", "100ms", "--drain-timeout", "20s")
        self.reload(g)
        self.leaves(g, 1)
        before = descriptors(g.pid)
        for generation in range(3, 12):
            self.reload(g)
            self.leaves(g, generation - 1)
        wait_for_no_more_descriptors(g.pid, before)


if __name__ == "__main__":
    main()
