"""A candidate is probed before it serves: what does not pass changes nothing, and nobody else has reached it."""
import os, signal
import own_network
from harness import NOBODY, NO_PRIVILEGE, alive, ask, children, main, wait_until
from own_network import free_port
from probing import HEALTHY, PROBED, SICK, Clients, Probed


def setUpModule():
    own_network.enter()


class Probe(Probed):
    def assert_sick_one_changes_nothing(self, g):
        """Nor has anybody else reached it."""
        self.assertEqual(g.ask(), "generation 1")
        self.become(SICK)
        clients = Clients(("127.0.0.1", self.port))
        try:
            r = g.reload()
        finally:
            wait_until(lambda: sum(clients.answers.values()) > 200, g.said)
            clients.stop()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("GET %s: 500 Internal Server Error, 3 of 3 failed" % self.url(), r.stderr)
        self.assertEqual(clients.failures, [])
        self.assertEqual(list(clients.answers), ["generation 1"])
        self.assertEqual(self.asked(2), ["/healthz"] * 3)
        self.assertIn("500 Internal Server Error", g.status()["last_reload"]["why"])

    def assert_healthy_one_serves(self, g, generation=3):
        self.become(HEALTHY)
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr + g.said())
        self.assertEqual(self.asked(generation)[0], "/healthz")
        self.soon("generation %d" % generation, g.ask)

    def passed(self, **more):
        self.port = free_port()
        return self.probed("--probe", self.url() + ",interval=50ms,timeout=30s", port=self.port, **more)

    def adopted(self, **more):
        self.port = free_port()
        return self.probed("--probe", self.url() + ",interval=50ms,timeout=30s", port=self.port, where=(), **more)

    def test_a_candidate_that_answers_500_changes_nothing_with_listen(self):
        g = self.passed()
        self.assertEqual(self.asked(1)[0], "/healthz", "the first start is probed as well")
        self.assert_sick_one_changes_nothing(g)
        self.assert_healthy_one_serves(g)
        g.end()

    def test_a_candidate_that_answers_500_changes_nothing_where_it_is_adopted(self):
        g = self.adopted()
        self.assert_sick_one_changes_nothing(g)
        self.assert_healthy_one_serves(g)
        g.end()

    def test_the_same_by_classic_bpf_with_listen(self):
        g = self.passed(within=("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE), preexec=self.unprivileged)
        self.assertIn("BPF_", g.said())
        self.assert_sick_one_changes_nothing(g)
        self.assert_healthy_one_serves(g)

    def test_the_same_by_classic_bpf_where_it_is_adopted(self):
        g = self.adopted(within=("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE), preexec=self.unprivileged)
        self.assertIn("BPF_", g.said())
        self.assert_sick_one_changes_nothing(g)
        self.assert_healthy_one_serves(g)

    def test_several_workers_and_several_probes(self):
        self.port = free_port()
        g = self.probed("--workers", "2", "--probe", self.url() + ",interval=50ms,timeout=30s,passes=3", "--probe",
                        "tcp://127.0.0.1:%d,timeout=30s" % self.port, port=self.port)
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertGreaterEqual(self.asked(2).count("/healthz"), 3)
        g.end()

    def test_a_look_that_hangs_ends_with_the_reload(self):
        self.port = free_port()
        g = self.probed("--probe", self.url() + ",timeout=300s,fails=1", port=self.port, where=())
        self.become("hang")
        g.signal(signal.SIGHUP)
        g.wait("STATUS=.*generation 2 is probed")
        wait_until(lambda: self.asked(2) == ["/healthz"], g.said)
        self.assertEqual(g.ask(), "generation 1")
        self.assertEqual(g.status()["probes"], [{"probe": "GET " + self.url(), "passed": False, "passes": 0, "fails": 0, "saw": None}])
        looks = [p for p in children(g.pid) if p not in [w["pid"] for w in g.workers()]]
        self.assertEqual(len(looks), 1)
        self.assertEqual(g.run("abort").returncode, 0)
        wait_until(lambda: not alive(looks[0]), "the look goes on")
        self.assertEqual(g.ask(), "generation 1")
        self.assertEqual(g.end(), 0)

    def test_no_answer_in_time(self):
        self.port = free_port()
        g = self.probed("--config", self.write("t.conf", ""), port=self.port, where=())
        self.become("hang")
        self.write("t.conf", "probe = %s,timeout=200ms,interval=10ms,fails=2\n" % self.url())
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("GET %s: no answer in 200ms, 2 of 2 failed" % self.url(), r.stderr)
        self.assertEqual(g.ask(), "generation 1")
        g.end()

    def test_what_is_not_passed_by_ready_timeout_is_told_with_what_was_seen(self):
        self.port = free_port()
        g = self.probed("--config", self.write("t.conf", ""), port=self.port, where=())
        self.become(SICK)
        self.write("t.conf", "probe = %s,timeout=30s,interval=100ms,fails=1000\nready-timeout = 12s\n" % self.url())
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("GET %s: 500 Internal Server Error, not passed within 12s" % self.url(), r.stderr)
        g.end()

    def test_a_command_reaches_the_candidate_by_the_ports_it_is_given(self):
        self.port = free_port()
        script = self.write("smoke-test", """#!/usr/bin/python3
import os, socket, sys
print("generation", os.environ["GRACED_GENERATION"], "workers", os.environ["GRACED_WORKER_PIDS"], file=sys.stderr)
if "LISTEN_FDS" in os.environ or len(os.listdir("/proc/self/fd")) > 4: sys.exit("it has inherited something")
with socket.socket() as s:
    s.bind(("", int(os.environ["GRACED_PROBE_LOCAL_PORT"])))
    s.connect(("127.0.0.1", %d))
    s.sendall(b"GET /healthz HTTP/1.1\\r\\n\\r\\n")
    said = s.makefile().read()
if " 200 " not in said.splitlines()[0]: sys.exit("it said " + said.splitlines()[0])
if "of generation " + os.environ["GRACED_GENERATION"] not in said: sys.exit("another one has answered: " + said)
""" % self.port, 0o755)
        g = self.probed("--probe", "exec:%s,timeout=60s,interval=10ms" % script, port=self.port)
        self.become(SICK)
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("exec:%s: it said HTTP/1.1 500 Internal Server Error, 3 of 3 failed" % script, r.stderr)
        self.assertEqual(self.asked(2), ["/healthz"] * 3)
        self.assert_healthy_one_serves(g)
        g.end()

    def test_a_unix_socket_is_reached_before_it_is_in_its_place(self):
        path = self.path("app.sock")
        g = self.probed("--probe", "http+unix:%s:/healthz,interval=10ms,timeout=30s" % path, where=(path,))
        self.become(SICK)
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("500 Internal Server Error, 3 of 3 failed", r.stderr)
        self.assertEqual(self.asked(2), ["/healthz"] * 3)
        self.assertEqual(ask(path), "generation 1")
        self.become(HEALTHY)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(ask(path), "generation 3")
        g.end()

    def test_a_worker_is_the_user_that_looks(self):
        os.chmod(self.directory, 0o755)
        g = self.serving("--user", str(NOBODY), "--probe", "exec:sh -c 'id -u >&2; exit 1',timeout=60s,fails=1", wait=False)
        self.assertEqual(g.end(None), 1)
        self.assertIn(": %d, 1 of 1 failed" % NOBODY, g.said())

    def moves(self, g, configured):
        """To another port, which nobody else reaches before it serves."""
        self.assertEqual(g.ask(), "generation 1")
        self.port = free_port()
        self.become(SICK)
        self.write("t.conf", configured % self.port + "probe = %s,interval=50ms,timeout=30s\n" % self.url())
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("500 Internal Server Error, 3 of 3 failed", r.stderr)
        self.assertEqual(self.asked(2), ["/healthz"] * 3)
        with self.assertRaises(OSError):
            ask(("127.0.0.1", self.port))
        self.become(HEALTHY)
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr + g.said())
        self.assertEqual(ask(("127.0.0.1", self.port)), "generation 3")
        self.assertEqual(g.end(), 0)

    def test_a_new_address_is_reached_by_its_probe_alone(self):
        self.become(HEALTHY)
        config = self.write("t.conf", "listen = 127.0.0.1:%d\nprobe = exec:true\n" % free_port())
        self.moves(self.graced("--config", config, options=(), command=(PROBED, self.directory, "passed")), "listen = 127.0.0.1:%d\n")

    def test_a_new_address_is_reached_by_its_probe_alone_where_it_is_adopted(self):
        self.become(HEALTHY)
        command = "command = %s %s %%d\nadopt-changes = allow\n" % (PROBED, self.directory)
        self.moves(self.graced("--config", self.write("t.conf", command % free_port()), options=()), command)

    def test_a_start_that_is_not_passed_fails(self):
        self.port = free_port()
        g = self.probed("--probe", self.url() + ",interval=10ms,fails=2,timeout=30s", port=self.port, health=SICK,
                        wait=False)
        self.assertEqual(g.end(None), 1)
        self.assertIn("500 Internal Server Error, 2 of 2 failed", g.said())

    def test_a_generation_that_shares_its_sockets_cannot_be_followed_by_one_that_is_probed(self):
        self.port = free_port()
        g = self.probed("--config", self.write("t.conf", ""), port=self.port)
        probe = "probe = %s,interval=50ms,timeout=30s\n" % self.url()
        for _ in range(2):  # the second time they are in sets, where that can be had
            self.write("t.conf", probe)
            r = g.reload()
            self.assertEqual(r.returncode, 1, r.stdout)
            self.assertIn("stop graced and start it again with the option", r.stderr)
            self.write("t.conf", "")
            self.assertEqual(g.reload().returncode, 0, g.said())
        g.end()

    def test_a_probe_may_be_given_up_and_come_back_where_each_generation_has_its_sockets(self):
        self.port = free_port()
        probe = "probe = %s,interval=50ms,timeout=30s\n" % self.url()
        g = self.probed("--config", self.write("t.conf", ""), port=self.port, where=())
        self.write("t.conf", probe)
        self.assert_sick_one_changes_nothing(g)
        self.write("t.conf", "")
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 3", g.ask)
        self.write("t.conf", probe)
        self.assert_healthy_one_serves(g, 4)
        g.end()

    def test_what_cannot_be_probed_is_refused(self):
        run = "run", "--control", self.path("c")
        for probe, words in (("htp://a/", "did you mean 'http'?"),
                             ("http://127.0.0.1:8080/,statu=200", "did you mean 'status'?"),
                             ("http://[::1/", "the bracket of '[::1' is never closed"),
                             ("exec:'x", "quote"),
                             ("tcp://127.0.0.1:81", "nobody listens on port 81: --listen has 127.0.0.1:8080"),
                             ("http://127.0.0.1:8080/,start-delay=1min", "not before --ready-timeout 30s")):
            self.assert_refused(words, *run, "-l", "127.0.0.1:8080", "--probe", probe, "--", "true")
        path = self.path("x.sock")
        self.assert_refused("unix:%s of --listen is shared by all generations" % path, *run, "-l", "unix:" + path, "--probe",
                            "http+unix:%s:/" % path, "--", "true")
        self.assert_refused("no address is switched", *run, "-l", "unix:" + path, "--probe", "exec:true", "--", "true")
        r = self.run_graced("check", "-l", "unix:" + path, "--probe", "tcp+unix:" + path, "--", "true")
        self.assertEqual(r.returncode, 2, r.stdout + r.stderr)
        self.assertIn("is shared by all generations", r.stderr)


if __name__ == "__main__":
    main()
