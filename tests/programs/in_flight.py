"""Work that takes its time, in flight when reloads come: slow answers behind TLS, bodies with a pause, streams, calls. With
nothing said to graced none of it may be cut."""
import json, os, select, subprocess, unittest
from collections import Counter
from program import BUILT, HERE, SERVERS, ProgramCase, alive, found, record, wait_until

CLIENT = os.path.join(HERE, "clients", "in_flight.js")
STREAMS = os.path.join(SERVERS, "streams.js")
MODULES = os.path.join(BUILT, "node_modules")
RELOADS = int(os.environ.get("GRACED_RELOADS", "10"))
PATIENCE = 120  # seconds; several times what the longest of them takes
AT_ONCE = 6  # batches; each keeps a generation, of which 8 may drain

HTTP = "plain", "drip", "events", "upload", "pipelined", "kept", "ws"
TLS = "tls12", "tls13", "poll", "drip_tls", "events_tls", "wss"
H2 = "h2",
GRPC = "grpc", "grpc_stream"

# The drain signal comes after 18 s and SIGKILL after 24; answers of 20 s are in flight at the one and whole before the other.
NEAR_LIMIT = "--drain-timeout", "24s", "--drain-grace", "6s"
OVER_LIMIT = "20000"


class Clients:
    """One process with batches of work; each line that it says is about one of them."""

    def __init__(self, case, *arguments):
        self.process = subprocess.Popen([found("node"), CLIENT, *arguments], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ, NODE_NO_WARNINGS="1"))
        case.addCleanup(self.close)
        self.in_flight, self.ended = set(), {}
        self.heard = b""

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def tell(self, word, batch):
        self.process.stdin.write(b"%s %d\n" % (word, batch))

    def listen(self):
        while b"\n" not in self.heard:
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise AssertionError("the clients wait and wait")
            part = self.process.stdout.read(65536)
            if not part:
                raise AssertionError("the clients ended")
            self.heard += part
        line, _, self.heard = self.heard.partition(b"\n")
        said = json.loads(line)
        if "in_flight" in said:
            self.in_flight.add(said["in_flight"])
        else:
            self.ended[said.pop("ended")] = said

    def begin(self, batch):
        self.tell(b"start", batch)
        while batch not in self.in_flight:
            self.listen()

    def release(self, batch):
        self.tell(b"release", batch)

    def end(self, batch):
        while batch not in self.ended:
            self.listen()


class InFlightCase(ProgramCase):
    def setUp(self):
        super().setUp()
        if not os.path.isdir(MODULES):
            raise unittest.SkipTest("what package-lock.json pins is not there, see fetch_packages")
        os.environ["NODE_PATH"] = MODULES
        os.chmod(self.directory, 0o755)  # some servers' workers are nobody

    def certificate(self):
        """key.pem and cert.pem, for itself."""
        subprocess.run([found("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30",
                        "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")], check=True, stderr=subprocess.DEVNULL)

    def behind(self):
        """What a proxy asks, and is not below graced: ports 9080 and, for gRPC, 9051."""
        p = subprocess.Popen([found("node"), STREAMS, "--http", "9080", "--grpc", "9051"])
        self.addCleanup(lambda: (p.kill(), p.wait()))
        for port in 9080, 9051:
            wait_until(lambda: listens(port))

    def below(self, *command, options=("--drain-timeout", "10min"), **more):
        """With defaults, but for a limit that no slow machine reaches."""
        return self.graced(*options, options=(), command=command, **more)

    def in_flight(self, *kinds, grpc="http://127.0.0.1:8051", each=6, long="5000"):
        secure = ("--tls", "8443", "--ca", self.path("cert.pem")) if os.path.exists(self.path("cert.pem")) else ()
        return Clients(self, "--long", long, "--http", "8080", *secure, "--grpc", grpc, "--each", str(each), *kinds)

    def nothing_is_cut(self, g, *kinds, at_once=AT_ONCE, reloads=RELOADS, **more):
        """A batch at each reload; the older ones go on over the later ones."""
        clients = self.in_flight(*kinds, **more)
        for batch in range(reloads):
            old, = [w["pid"] for w in g.workers("ready")]
            clients.begin(batch)
            self.reload(g)
            self.assertIn(old, [w["pid"] for w in g.workers("draining")], g.said())
            clients.release(batch)
            if batch >= at_once:
                clients.end(batch - at_once)
        for batch in range(reloads):
            clients.end(batch)
        self.one_serves(g)  # nobody holds the others any more
        whole = {kind: sum(said["whole"][kind] for said in clients.ended.values()) for kind in kinds}
        cut = {}
        for said in clients.ended.values():
            for kind, reasons in said["cut"].items():
                cut[kind] = Counter(cut.get(kind, {})) + Counter(reasons)
        record({"program": self.called(), "reloaded": reloads, "in_flight": whole, "cut": cut})
        self.assertEqual(cut, {}, g.said())
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g)

    def the_limit_lets_it_finish(self, g, *kinds, ends="exited with status 0"):
        """Who still has connections when the limit is near hears the drain signal, and has --drain-grace for his own end."""
        clients = self.in_flight(*kinds, long=OVER_LIMIT)
        old = self.one_serves(g)
        clients.begin(0)
        self.reload(g)
        clients.release(0)
        clients.end(0)
        self.assertEqual(clients.ended[0]["cut"], {}, g.said())
        wait_until(lambda: not alive(old), g.said)
        self.one_serves(g)
        self.assertRegex(g.said(), "PID %d: (%s)" % (old, ends))


def listens(port):
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A" for line in f.readlines()[1:])
