"""graced-exporter beside clients and instances that mean it no good: it answers whoever asks in good order, and stays small."""
import os, re, resource, signal, socket, sys, time

from exported import ExportedCase
from harness import PATIENCE, main, wait_until

SANITIZED = os.environ.get("GRACED_SANITIZED") == "1"
MEGABYTE = 1024 * 1024
# Resident, whatever comes; a sanitizer needs several times that.
BOUND = (1024 if SANITIZED else 96) * MEGABYTE


def setUpModule():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))


class Clients(ExportedCase):
    def connect(self, e):
        s = socket.create_connection(e.address, PATIENCE)
        self.addCleanup(s.close)
        return s

    def assert_well(self, e):
        self.assertEqual(e.metrics()['graced_up{name="t"}'], 1)
        self.assertLess(e.resident(), BOUND)

    def test_a_thousand_clients_that_never_finish_their_request(self):
        e = self.exporter(self.serving())
        for i in range(1000):
            s = self.connect(e)
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * (i % 100))
        self.assert_well(e)
        # Not all of them are kept.
        m = e.metrics()
        self.assertLess(m["graced_exporter_connections"], 600)
        self.assertGreater(m["graced_exporter_evicted_connections_total"], 300)
        # A request has ten seconds.
        wait_until(lambda: e.metrics()["graced_exporter_connections"] < 5)

    def test_a_thousand_clients_that_never_read_their_answer(self):
        e = self.exporter(self.serving())
        for _ in range(1000):
            s = socket.socket()
            self.addCleanup(s.close)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(PATIENCE)
            s.connect(e.address)
            try:
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            except OSError:
                pass  # it was closed for one that came later
        self.assert_well(e)

    def test_garbage(self):
        e = self.exporter(self.serving())
        lines = (os.urandom(4096), b"\0" * 4096, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 5000, b"GET " + b"%" * 9000,
                 b"GET /%00%ff%2e%2e/ HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", b"\x16\x03\x01\x02\x00\x01\x00")
        for line in lines:
            s = self.connect(e)
            try:
                s.sendall(line)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assert_well(e)

    def push(self, e, head, chunk, megabytes):
        """How much it takes before it hangs up."""
        s = self.connect(e)
        s.sendall(head)
        pushed = 0
        try:
            while pushed < megabytes * MEGABYTE:
                pushed += s.send(chunk)
        except OSError:
            pass
        return pushed

    def test_headers_and_bodies_of_a_hundred_megabytes(self):
        e = self.exporter(self.serving())
        filler = b"a" * 65536
        self.assertLess(self.push(e, b"GET /metrics HTTP/1.1\r\nX: ", filler, 100), 50 * MEGABYTE)
        self.assertLess(self.push(e, b"GET /metrics HTTP/1.1\r\n", b"X-Many: a\r\n" * 5000, 100), 50 * MEGABYTE)
        self.assertLess(self.push(e, b"GET /" + filler, filler, 100), 50 * MEGABYTE)
        self.push(e, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n", filler, 100)
        self.push(e, b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n", filler, 100)
        self.assert_well(e)

    def test_readers_of_events_are_few_and_may_go_at_any_time(self):
        e = self.exporter(self.serving())
        readers = [self.events(e) for _ in range(64)]
        self.assertTrue(all(r.status == 200 for r in readers))
        self.assertEqual(self.events(e).status, 503)
        self.assertEqual(e.metrics()["graced_exporter_event_readers"], 64)
        for r in readers:
            r.close()
        wait_until(lambda: e.metrics()["graced_exporter_event_readers"] == 0)
        self.assertEqual(self.events(e).status, 200)

    def stalled(self, e):
        """One that has begun to read events, and does not go on."""
        s = socket.socket()
        self.addCleanup(s.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(PATIENCE)
        s.connect(e.address)
        s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b""
        while b"what happens from now on" not in said:
            said += (more := s.recv(256))
            self.assertTrue(more, said)
        return s

    def test_readers_of_events_that_stop_reading_keep_nobody_waiting_and_are_told_what_they_missed(self):
        g = self.serving()
        e = self.exporter(g)
        stalled = [self.stalled(e) for _ in range(32)]
        reader = self.events(e)
        reloads = 0
        for _ in range(60):
            self.assertEqual(g.reload().returncode, 0)
            reloads += 1
            self.assertEqual(reader.wait("reloaded")[1]["generation"], reloads + 1)
        self.assert_well(e)
        # What has come while it did not read is more than is kept for it, and that is said, or all of it is there.
        late = stalled[0]
        said = b""
        while not re.search(b'event: reloaded\ndata: [^\n]*"generation":%d,' % (reloads + 1), said):
            said += (more := late.recv(65536))
            self.assertTrue(more, said[-300:])
        self.assertTrue(b"event: missed" in said or said.count(b"event: reloaded") == reloads, said[:300])
        self.assertEqual(e.end(), 0)

    def test_all_of_that_at_once_beside_an_instance_that_hangs(self):
        hung, well = self.serving(name="hung"), self.serving(name="t")
        e = self.exporter(hung, well, options=("--time-limit", "60s"))
        self.assertEqual(e.metrics()["graced_exporter_unread_instances"], 0)
        for _ in range(32):
            self.stalled(e)
        for i in range(500):
            s = self.connect(e)
            try:
                s.sendall((b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ", os.urandom(512), b"GET /api/v1/instances HTTP/1.1\r\n")[i % 3])
            except OSError:
                pass  # it was closed for one that came later, or for what it said
        self.push(e, b"GET /metrics HTTP/1.1\r\nX: ", b"a" * 65536, 100)
        hung.signal(signal.SIGSTOP)
        self.addCleanup(lambda: hung.process.poll() is None and hung.signal(signal.SIGCONT))
        m = e.metrics()
        self.assertEqual(m['graced_unread{name="hung",reason="silent"}'], 1)
        self.assertLess(m["graced_exporter_look_seconds"], 30)
        self.assert_well(e)
        self.assertEqual(self.events(e).status, 200)

    def test_it_ends_at_once_whoever_is_connected(self):
        e = self.exporter(self.serving())
        for _ in range(10):
            self.connect(e).sendall(b"GET /metrics HTTP/1.1\r\n")
            self.events(e)
        self.assertEqual(e.end(), 0)


class Instances(ExportedCase):
    def test_one_that_hangs_is_told_and_the_others_are_read_within_the_limit(self):
        hung, well = self.serving(name="hung"), self.serving(name="well")
        e = self.exporter(hung, well, options=("--time-limit", "60s"))
        self.assertEqual(e.metrics()['graced_up{name="hung"}'], 1)
        hung.signal(signal.SIGSTOP)
        self.addCleanup(lambda: hung.process.poll() is None and hung.signal(signal.SIGCONT))
        began = time.monotonic()
        m = e.metrics()
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual((m['graced_up{name="hung"}'], m['graced_up{name="well"}']), (0, 1))
        self.assertEqual(m['graced_unread{name="hung",reason="silent"}'], 1)
        self.assertEqual(m['graced_phase{name="well",phase="serving"}'], 1)
        self.assertEqual(m["graced_exporter_unread_instances"], 1)
        self.assertLess(m["graced_exporter_look_seconds"], 30, "it cost a look its limit")
        self.assertEqual([i["phase"] for i in e.json("/instances")], ["silent", "serving"])
        # The next looks are not kept waiting by what is known to hang.
        self.assertLess(min(e.metrics()["graced_exporter_look_seconds"] for _ in range(5)), 10)
        hung.signal(signal.SIGCONT)
        wait_until(lambda: e.metrics()['graced_up{name="hung"}'] == 1)

    def test_one_that_answers_nonsense_hangs_up_or_takes_nobody(self):
        well = self.serving(name="well")
        strangers = []
        for name in ("nonsense", "closing", "full"):
            path = self.path(name)
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.bind(path)
            s.listen(0 if name == "full" else 8)
            strangers.append(s)
        nonsense, closing, _ = strangers
        if pid := os.fork():
            self.addCleanup(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))
        else:
            import selectors
            ready = selectors.DefaultSelector()
            for s in (nonsense, closing):
                ready.register(s, selectors.EVENT_READ)
            kept = []
            while True:
                for key, _ in ready.select():
                    client, _ = key.fileobj.accept()
                    if key.fileobj is nonsense:
                        client.send(b"OK " + b"f" * 32 + b"\r\n" + os.urandom(4096))
                        kept.append(client)
                    else:
                        client.close()
        controls = [word for name in ("nonsense", "closing", "full") for word in ("--control", self.path(name))]
        e = self.exporter(well, options=[*controls, "--time-limit", "20s"])
        m = e.metrics()
        self.assertEqual(m['graced_up{name="well"}'], 1)
        self.assertEqual(m["graced_exporter_unread_instances"], 3)

    def test_two_hundred_of_them(self):
        many = 20 if SANITIZED else 200
        instances = [self.graced("--ready", "after:0s", name="i%03d" % i, command=("/bin/sleep", "1000"), wait=False)
                     for i in range(many)]
        for g in instances:
            g.wait("READY=1")
        e = self.exporter(*instances, options=("--time-limit", "30s"))
        m = e.metrics()
        self.assertEqual([m['graced_up{name="i%03d"}' % i] for i in range(many)], [1] * many)
        took = min(e.metrics()["graced_exporter_look_seconds"] for _ in range(3))
        sys.stderr.write("a look at %d instances took %.3f s, the exporter has %d MiB\n" % (many, took, e.resident() // MEGABYTE))
        self.assertLess(e.resident(), BOUND)
        self.assertEqual(len(e.json("/instances")), many)


if __name__ == "__main__":
    main()
