"""What is in flight when a worker has to leave: a pause is not the end. Quiet is what graced itself says of a connection,
nobody looks at a clock."""
import os, shutil, signal, socket, ssl, subprocess
import own_network
from harness import Case, HERE, PATIENCE, alive, for_everybody, main, wait_until
from own_network import free_port

STREAMER = for_everybody(os.path.join(HERE, "streamer.py"))


def setUpModule():
    own_network.enter()


class Client:
    def __init__(self, port, tls=False):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.heard = b""

    def ask(self, path):
        self.socket.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())

    def hears(self, words):
        """All that came, these words being the last of it."""
        while not self.heard.endswith(words):
            part = self.socket.recv(65536)
            if not part:
                raise AssertionError("the end after %r, before %r" % (self.heard, words))
            self.heard += part
        return self.heard.decode()

    def rest(self):
        """All that comes until the end, which is an orderly one."""
        while part := self.socket.recv(65536):
            self.heard += part
        return self.heard.decode()


class Draining(Case):
    def streamer(self, *habits, options=(), **more):
        """The habits are those of the first generation; the next one has TLS as well if that has it."""
        self.port = free_port()
        self.tls = "tls" in habits
        if self.tls:
            self.make_certificate()
        script = self.write("app", '#!/bin/sh\n[ "$GRACED_GENERATION" = 1 ] || set -- %s\nexec "%s" %d "%s" "$@"\n'
                            % ("tls" * self.tls, STREAMER, self.port, self.directory), 0o755)
        return self.graced(*options, options=(), command=(script, *habits), **more)

    def make_certificate(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl, which makes the certificate, is not installed")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=x", "-keyout", self.path("key"), "-out", self.path("cert")], check=True, capture_output=True)
        self.write("pem", self.read("key") + self.read("cert"))

    def read(self, name):
        try:
            with open(self.path(name)) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def client(self, path=None):
        c = Client(self.port, self.tls)
        self.addCleanup(c.socket.close)
        if path:
            c.ask(path)
            wait_until(lambda: path in self.read("begun.1"))
        return c

    def wait_for_quiet(self, g, seconds):
        """Until graced says that nothing has come or gone for so long on any connection of a worker that leaves."""
        return wait_until(lambda: [w for w in g.workers("draining") if w["connections"] and (w["quiet_s"] or 0) >= seconds],
                          lambda: "%s\n%s" % (g.workers(), g.said()))[0]

    def assert_replaced(self, g):
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertNotIn("SIGKILL", g.said())


class Reload(Draining):
    def survives(self, g, path, last_words):
        c = self.client(path)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.wait_for_quiet(g, 1.5)
        self.write("go", "")
        said = c.hears(last_words)
        c.socket.close()
        self.assert_replaced(g)
        return said

    def test_a_slow_answer_behind_tls_is_not_cut_by_a_reload(self):
        self.assertIn("generation 1", self.survives(self.streamer("tls"), "/slow", b"generation 1\n"))

    def test_a_body_with_a_pause_is_not_cut_by_a_reload(self):
        self.assertEqual(self.survives(self.streamer(), "/pause", b"generation 1\ngeneration 1\n").count("200 OK"), 1)

    def test_a_stream_of_events_is_not_cut_by_a_reload(self):
        self.survives(self.streamer(), "/events", b"data: one\n\ndata: two\n\n")

    def test_a_conversation_is_not_cut_by_a_reload(self):
        g = self.streamer()
        c = self.client("/talk")
        c.hears(b"Connection: Upgrade\r\n\r\n")
        self.assertEqual(g.reload().returncode, 0)
        self.wait_for_quiet(g, 1.5)
        c.socket.sendall(b"still there?\n")
        c.hears(b"still there?\n")
        c.socket.close()
        self.assert_replaced(g)

    def test_drain_idle_closes_what_is_quiet_for_whoever_asks_for_it(self):
        g = self.streamer(options=("--drain-idle", "50ms", "--drain-timeout", "10min"))
        c = self.client("/talk")
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(c.rest().count("Upgrade: talk"), 1)
        self.assert_replaced(g)


class Limit(Draining):
    def test_a_server_that_finishes_by_itself_is_told_before_it_is_killed_and_says_goodbye(self):
        g = self.streamer("finish", options=("--drain-timeout", "12s"))
        c = self.client("/talk")
        self.assertEqual(g.reload().returncode, 0)
        self.assertTrue(c.rest().endswith("goodbye\n"))
        self.assert_replaced(g)
        self.assertIn("still has 1 connection (1 idle), and is told to leave", g.said())

    def test_a_server_that_finishes_by_itself_answers_what_it_has_after_its_signal(self):
        g = self.streamer("finish", options=("--drain-timeout", "20s", "--drain-grace", "10min"))
        c = self.client("/slow")
        old = g.workers()[0]["pid"]
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: "is told to leave; what it has not finished" in g.said(), g.said)
        self.write("go", "")
        c.hears(b"generation 1\n")
        wait_until(lambda: not alive(old))
        self.assert_replaced(g)

    def test_what_is_left_just_before_the_kill_is_closed_in_good_order(self):
        g = self.streamer("deaf", options=("--drain-timeout", "4s"))
        c = self.client("/talk")
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(c.rest().count("Upgrade: talk"), 1)  # not ECONNRESET
        wait_until(lambda: len(g.workers()) == 1)
        said = g.said()
        self.assertLess(said.index("is told to leave; what it has not finished"), said.index("has 1 connection (1 idle) left: closed from outside"))
        self.assertLess(said.index("left: closed from outside"), said.index("SIGKILL"))

    def test_without_any_grace_no_time_is_told_after_which_the_rest_is_closed(self):
        g = self.streamer("deaf", options=("--drain-timeout", "1s", "--drain-grace", "0"))
        self.client("/talk")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: "SIGKILL" in g.said(), g.said)
        self.assertRegex(g.said(), "and is told to leave\n")

    def test_status_says_what_comes_next_and_when(self):
        g = self.streamer("deaf", options=("--drain-timeout", "infinity"))
        self.client("/talk")
        g.reload()
        self.assertEqual([(w["left_s"], w["then"]) for w in g.workers("draining")], [(None, "SIGTERM")])
        self.assertEqual(g.run("hammer").returncode, 0)
        wait_until(lambda: len(g.workers()) == 1)

        later = self.streamer("deaf", name="later", options=("--drain-timeout", "40s", "--drain-grace", "10s", "--stop-timeout", "0"))
        self.client("/talk")
        later.reload()
        self.assertRegex(later.run("status").stdout, r"draining .* SIGTERM in \d+s\b")


class Advice(Draining):
    """By the name of the program, and of that only."""

    def named(self, name, *options, habits=()):
        self.port = free_port()
        shutil.copy(STREAMER, self.path(name))
        os.chmod(self.path(name), 0o755)
        return self.graced(*options, options=(), command=(self.path(name), str(self.port), self.directory, *habits), name="advised")

    def test_the_first_reload_of_nginx_says_how_it_leaves_sooner_once(self):
        g = self.named("nginx")
        for _ in range(3):
            self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.said().count("nginx finishes on SIGQUIT: --drain signal --drain-signal QUIT lets it leave sooner"), 1, g.said())
        said = self.run_graced("check", self.path("nginx")).stdout
        self.assertIn("  advice     nginx finishes on SIGQUIT: --drain signal", said)

    def test_who_asks_for_a_signal_that_is_the_end_of_the_worker_is_warned_once(self):
        g = self.named("app", "--drain", "signal")
        for _ in range(3):
            self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.said().count("SIGTERM is neither caught, blocked nor ignored"), 1, g.said())
        self.assertNotIn("advice", self.run_graced("check", self.path("app")).stdout)

    def test_who_asks_for_a_signal_that_is_handled_is_not_warned(self):
        g = self.named("app", "--drain", "signal", habits=("finish",))
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: len(g.workers()) == 1)
        self.assertNotIn("neither caught", g.said())


class Stop(Draining):
    def test_a_stop_does_not_wait_for_a_client_that_keeps_its_connection(self):
        g = self.streamer(options=("--stop-timeout", "10min"))
        c = self.client()
        c.ask("/")
        c.hears(b"generation 1\n")
        self.assertEqual(g.end(), 0)
        self.assertEqual(c.rest().count("generation 1"), 1)

    def test_a_stop_does_not_cut_an_answer_that_takes_its_time(self):
        g = self.streamer(options=("--stop-timeout", "10min", "--drain-idle", "100ms"))
        c = self.client("/slow")
        g.signal(signal.SIGTERM)
        self.wait_for_quiet(g, 0.5)
        self.write("go", "")
        self.assertIn("generation 1", c.rest())
        self.assertEqual(g.end(signo=None), 0)

    def test_a_server_that_finishes_by_itself_is_told_before_the_stop_timeout(self):
        g = self.streamer("finish", options=("--stop-timeout", "4s"))
        c = self.client("/talk")
        g.signal(signal.SIGTERM)
        self.assertTrue(c.rest().endswith("goodbye\n"))
        self.assertEqual(g.end(signo=None), 0)
        self.assertNotIn("SIGKILL", g.said())


if __name__ == "__main__":
    main()
