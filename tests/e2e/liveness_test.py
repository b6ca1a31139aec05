"""A generation that serves is probed: one that fails is rolled back, or replaced by another one of the same. And a rollback by
hand to one that leaves, and has been told nothing yet."""
import json, os, signal, socket
import own_network
from harness import NO_PRIVILEGE, PATIENCE, alive, ask, children, main, wait_until
from own_network import free_port
from probing import HEALTHY, PROBED, SICK, Clients, Probed

UNPRIVILEGED = ("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE)


def setUpModule():
    own_network.enter()


class Impatient(Clients):
    """Clients that give up where nobody answers: who hangs costs them nothing but that, and the end of the one request that
    they have there when it leaves."""

    def ask_on(self):
        while not self.over:
            try:
                with socket.create_connection(self.address, PATIENCE) as s:
                    answer = self.answer(s)
                self.answers[answer] = self.answers.get(answer, 0) + 1
            except OSError as e:
                self.failures.append(e)

    def answer(self, s):
        s.settimeout(0.1)
        answer = b""
        try:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while part := s.recv(65536):
                answer += part
        except TimeoutError:
            return "nothing"
        except ConnectionError:
            return "cut"
        return answer.decode().splitlines()[-1] if answer else "cut"


class Liveness(Probed):
    def watched(self, *options, probe="", fails=2, **more):
        """Looked at all the time; a look that is answered with what is no health fails at once."""
        self.port = free_port()
        return self.probed("--probe", "%s,while-serving=50ms,interval=50ms,timeout=60s,fails=%d%s" % (self.url(), fails, probe),
                           *options, port=self.port, **more)

    def is_from_now_on(self, health, generation):
        self.write("health.%d" % generation, health)

    def serves(self, g, generation):
        wait_until(lambda: g.status()["serving"] == generation, g.said)

    def entries(self, g, event):
        return [e for e in json.loads(g.run("history", "--json").stdout)["history"] if e["event"] == event]

    def hangs_and_is_replaced(self, **more):
        """It takes connections, and answers nobody any more."""
        self.port = free_port()
        g = self.probed("--probe", self.url() + ",while-serving=100ms,interval=100ms,timeout=5s,fails=2", port=self.port, **more)
        first = [w["pid"] for w in g.workers("ready")]
        wait_until(lambda: len(self.asked(1)) > 3, g.said)
        self.assertEqual(g.status()["watched_by"][0]["saw"], None)
        clients = Impatient(("127.0.0.1", self.port))
        try:
            wait_until(lambda: clients.answers, g.said)
            self.is_from_now_on("hang", 1)
            wait_until(lambda: "nothing" in clients.answers, g.said)
            looks = set()
            while g.status()["serving"] == 1:
                now = [p for p in children(g.pid) if p not in [w["pid"] for w in g.workers()]]
                self.assertLessEqual(len([p for p in now if alive(p)]), 2, "looks pile up")
                looks.update(now)
            wait_until(lambda: "generation 2" in clients.answers, g.said)
        finally:
            clients.stop()
        self.assertEqual(clients.failures, [])
        self.assertLessEqual(clients.answers.get("cut", 0), len(clients.threads))
        self.assertRegex(g.said(), r"serves in the place of generation 1, which was replaced, since its probe failed: GET \S+: "
                                   r"no answer in 5s, 2 of 2 failed")
        g.wait("STATUS=generation 2 serves with 1 worker.*; generation 1 was replaced, since its probe failed: GET .*no answer in 5s")
        status = g.status()
        self.assertEqual((status["reloads"], status["restarts"], status["last_reload"]), (0, 1, None))
        self.assertEqual((status["last_replacement"]["generation"], status["last_replacement"]["by"],
                          status["last_replacement"]["ok"]), (1, 2, True))
        self.assertIn("no answer in 5s, 2 of 2 failed", status["last_replacement"]["why"])
        self.assertRegex(g.run("status").stdout, r"replaced +generation 1 by 2 .*since its probe failed: GET ")
        replaced, = self.entries(g, "replaced")
        self.assertEqual((replaced["by"]["how"], replaced["generation"]), ("probe", 2))
        self.assertEqual(g.ask(), "generation 2")
        if "where" in more:  # else it hears its drain signal at once
            self.assertTrue(alive(first[0]), "who hangs is drained, and killed only then")
            g.signal(signal.SIGUSR2)
        wait_until(lambda: not alive(first[0]), g.said)
        self.assertEqual(g.end(), 0)
        self.assert_nothing_left(g)

    def test_a_server_that_hangs_is_replaced_with_listen(self):
        self.hangs_and_is_replaced()

    def test_a_server_that_hangs_is_replaced_where_it_is_adopted(self):
        self.hangs_and_is_replaced(where=())

    def test_the_same_without_privilege(self):
        self.hangs_and_is_replaced(within=UNPRIVILEGED, preexec=self.unprivileged)

    def test_the_same_without_privilege_where_it_is_adopted(self):
        self.hangs_and_is_replaced(where=(), within=UNPRIVILEGED, preexec=self.unprivileged)

    def test_a_replacement_that_fails_leaves_the_sick_one_serving_and_is_tried_again(self):
        told = self.path("told")
        g = self.watched("--on", "replaced,replacement-failed=sh -c 'echo $GRACED_EVENT $GRACED_GENERATION $GRACED_REASON >>%s'" % told)
        self.become(SICK)
        self.is_from_now_on(SICK, 1)
        wait_until(lambda: (g.status()["last_replacement"] or {"by": 0})["by"] > 2, g.said)
        status = g.status()
        self.assertEqual((status["serving"], status["last_replacement"]["ok"], status["failed_reloads"]), (1, False, 0))
        self.assertIn("500 Internal Server Error, 2 of 2 failed", status["last_replacement"]["why"])
        self.assertEqual(g.ask(), "generation 1")
        self.assertIn("was to replace generation 1, and failed", g.said())
        self.become(HEALTHY)
        wait_until(lambda: g.status()["serving"] > 1, g.said)
        self.assertEqual(g.status()["last_replacement"]["ok"], True)
        self.assertIn("generation", g.ask())
        self.assertGreater(len(self.entries(g, "replacement-failed")), 1)

        def lines():
            with open(told) as f:
                return f.read().splitlines()

        wait_until(lambda: os.path.exists(told) and lines()[-1].startswith("replaced "), g.said)
        self.assertRegex(lines()[0], r"^replacement-failed 2 GET .*500 Internal Server Error")
        self.assertEqual(g.end(), 0)

    def test_it_is_another_one_of_the_same_though_the_options_have_changed(self):
        config = self.write("t.conf", "workers = 1\n")
        g = self.watched("--config", config, "--check", "false")
        self.write("t.conf", "workers = 3\n")
        self.is_from_now_on(SICK, 1)
        self.serves(g, 2)
        self.assertEqual(len(g.workers("ready")), 1)
        self.assertNotIn("check started", g.said())

    def test_who_is_well_again_is_let_be(self):
        g = self.watched("--restart-delay", "1h", "--start-limit", "10/2h")
        self.is_from_now_on(SICK, 1)
        g.wait("STATUS=.*its probe fails")
        self.is_from_now_on(HEALTHY, 1)
        wait_until(lambda: "passed again" in g.said(), g.said)
        self.assertEqual((g.status()["serving"], g.status()["candidate"]), (1, None))
        self.assertEqual(g.end(), 0)

    def test_a_reload_wins_over_a_replacement(self):
        g = self.watched(probe=",start-delay=20s")
        self.is_from_now_on(SICK, 1)
        wait_until(lambda: g.status()["replaces"] == 1 or g.status()["serving"] > 1, g.said)
        self.assertEqual(g.status()["replaces"], 1)
        self.assertEqual(g.status()["phase"], "serving")
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr + g.said())
        self.assertIn("is not to replace generation 1 any more", g.said())
        status = g.status()
        self.assertEqual((status["serving"], status["reloads"], status["failed_reloads"], status["last_replacement"]), (3, 1, 0, None))
        self.assertEqual(g.end(), 0)

    def test_on_probation_it_is_rolled_back(self):
        g = self.watched("--probation", "1h")
        good = [w["pid"] for w in g.workers("ready")]
        self.assertEqual(g.reload().returncode, 0)
        self.is_from_now_on(SICK, 2)
        self.serves(g, 1)
        self.assertEqual([w["pid"] for w in g.workers("ready")], good)
        self.assertIn("rolled back: GET %s: 500 Internal Server Error, 2 of 2 failed; generation 1 serves again" % self.url(), g.said())
        self.assertEqual(self.entries(g, "rolled-back")[0]["by"]["how"], "probe")
        self.assertEqual(g.status()["restarts"], 0)
        self.assertEqual(g.end(), 0)

    def a_canary_is_watched(self, **more):
        """Who serves is reached beside it, each by its own looks."""
        g = self.watched("--canary", "99%/1h", **more)
        asker = self.reloading(g)
        wait_until(lambda: g.status()["canary"], g.said)
        for generation in 1, 2:
            before = self.asked(generation).count("/healthz")
            wait_until(lambda: self.asked(generation).count("/healthz") > before + 4, g.said)
        self.is_from_now_on(SICK, 2)
        _, said = asker.communicate(timeout=PATIENCE)
        self.assertEqual(asker.returncode, 1, said)
        self.assertIn("with 99% of new connections: GET " + self.url() + ": 500 Internal Server Error, 2 of 2 failed", said)
        status = g.status()
        self.assertEqual((status["serving"], status["watched_by"][0]["fails"], status["restarts"]), (1, 0, 0))
        self.assertEqual(g.ask(), "generation 1")
        self.assertEqual(g.end(), 0)

    def test_a_canary_is_looked_at_and_who_serves_beside_it(self):
        self.a_canary_is_watched()

    def test_a_canary_is_looked_at_and_who_serves_beside_it_without_privilege(self):
        self.a_canary_is_watched(where=(), within=UNPRIVILEGED, preexec=self.unprivileged)

    def test_a_unix_socket_and_a_command_look_at_who_serves(self):
        path = self.path("app.sock")
        g = self.probed("--probe", "http+unix:%s:/healthz,interval=50ms,while-serving,timeout=60s" % path, "--probe",
                        "exec:sh -c 'echo $GRACED_GENERATION >>%s',while-serving=100ms,timeout=60s" % self.path("looked"), where=(path,))
        self.is_from_now_on(SICK, 1)
        self.serves(g, 2)
        self.assertEqual(ask(path), "generation 2")

        def looked():
            with open(self.path("looked")) as f:
                return f.read().split()

        wait_until(lambda: looked()[-2:] == ["2", "2"], g.said)
        self.assertGreaterEqual(looked().count("1"), 2)
        self.assertEqual(g.end(), 0)

    def test_without_the_word_nobody_looks_later(self):
        self.port = free_port()
        g = self.probed("--probe", self.url() + ",interval=10ms,timeout=60s", port=self.port)
        self.is_from_now_on(SICK, 1)
        self.assertEqual(g.ask(), "generation 1")
        self.assertEqual(g.status()["watched_by"], [])
        self.assertEqual(self.asked(1), ["/healthz", "/"])

    def test_check_tells_of_it_and_what_is_no_time_is_refused(self):
        words = "-l", "127.0.0.1:8080", "--probe", "http://127.0.0.1:8080/,while-serving=5s"
        r = self.run_graced("check", *words, "--", "true")
        self.assertIn("before a generation serves and every 5s while it does; if it fails 3 times in a row another one of the same "
                      "replaces it", r.stdout)
        self.assert_refused("option 'while-serving': it must be longer than 0", "run", "-l", "127.0.0.1:8080", "--probe",
                            "http://127.0.0.1:8080/,while-serving=0", "--", "true")


class Return(Probed):
    """No --probation: the one before leaves as soon as its connections have ended."""

    def idle(self, *options, **more):
        return self.probed("--drain", "idle", "--drain-timeout", "1h", *options, **more)

    def held(self, path=None):
        """A connection that its worker has, and has not answered."""
        s = socket.socket(socket.AF_UNIX) if path else socket.socket()
        self.addCleanup(s.close)
        s.connect(path or ("127.0.0.1", self.port))
        s.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        return s

    def holds(self, g, generation, path=None):
        before = self.asked(generation).count("/hold")
        held = self.held(path)
        wait_until(lambda: self.asked(generation).count("/hold") > before, g.said)
        return held

    def to_and_fro(self, times, **more):
        g = self.idle(**more)
        self.holds(g, 1)
        clients = Clients(("127.0.0.1", self.port))
        try:
            self.assertEqual(g.reload().returncode, 0, g.said())
            self.holds(g, 2)
            pids = {w["pid"] for w in g.workers()}
            self.assertEqual(len(pids), 2)
            for to in [1, 2] * times:
                r = g.run("rollback")
                self.assertEqual((r.returncode, r.stderr), (0, ""), g.said())
                self.assertEqual(g.status()["serving"], to)
                seen = clients.answers.get("generation %d" % to, 0)
                wait_until(lambda: clients.answers.get("generation %d" % to, 0) > seen + 8, g.said)
        finally:
            clients.stop()
        self.assertEqual(clients.failures, [])
        self.assertEqual({w["pid"] for w in g.workers()}, pids)
        self.assertEqual(g.status()["rollbacks"], 2 * times)
        self.assertEqual(g.ask(), "generation 2")
        self.stop_twice(g)
        self.assertEqual(g.end(None), 0)

    def stop_twice(self, g):
        """Those that are held would be waited for."""
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        g.signal(signal.SIGTERM)

    def test_by_hand_to_and_fro_under_load_with_listen(self):
        self.to_and_fro(10)

    def test_by_hand_to_and_fro_under_load_where_it_is_adopted(self):
        self.to_and_fro(5, where=())

    def test_the_same_without_privilege(self):
        self.to_and_fro(3, within=UNPRIVILEGED, preexec=self.unprivileged)

    def test_who_was_told_is_gone(self):
        g = self.idle()
        self.holds(g, 1)
        self.assertEqual(g.reload().returncode, 0)
        os.kill(g.workers("draining")[0]["pid"], signal.SIGKILL)
        wait_until(lambda: len(g.workers()) == 1, g.said)
        r = g.run("rollback")
        self.assertEqual(r.returncode, 1)
        self.assertIn("generation 1 is gone: deploy its build again and reload", r.stderr)
        self.assertEqual(g.ask(), "generation 2")

    def test_a_path_that_is_another_ones_is_no_way_back(self):
        path = self.path("app.sock")
        g = self.idle(where=(path,))
        self.holds(g, 1, path)
        self.assertEqual(g.reload().returncode, 0)
        r = g.run("rollback")
        self.assertEqual(r.returncode, 1)
        self.assertIn("generation 1 leaves already, and unix %s is not its own any more" % path, r.stderr)
        self.assertEqual(ask(path), "generation 2")
        self.assertEqual(g.status()["serving"], 2)
        self.stop_twice(g)

    def test_an_address_that_is_gone_is_no_way_back(self):
        more, self.port = free_port(), free_port()
        self.become(HEALTHY)
        config = self.write("t.conf", "listen = 127.0.0.1:%d\nlisten = 127.0.0.1:%d\n" % (self.port, more))
        g = self.graced("--drain", "idle", "--drain-timeout", "1h", "--config", config, options=(),
                        command=(PROBED, self.directory, "passed"))
        self.holds(g, 1)
        self.write("t.conf", "listen = 127.0.0.1:%d\n" % self.port)
        self.assertEqual(g.reload().returncode, 0, g.said())
        r = g.run("rollback")
        self.assertEqual(r.returncode, 1)
        self.assertIn("generation 1 leaves already, and not all of its addresses are open any more", r.stderr)
        self.assertEqual(g.status()["serving"], 2)
        self.stop_twice(g)


if __name__ == "__main__":
    main()
