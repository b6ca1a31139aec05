"""A new generation is a canary first: it gets a share of the new connections, and all of them when nothing was wrong."""
import contextlib, json, os, re, signal, socket
import own_network
from fallback_test import NO_STEERING, refusing
from harness import HERE, NOBODY, NO_PRIVILEGE, PATIENCE, WORKER, Case, ask, for_everybody, main, wait_until
from load import Load, assert_nothing_lost
from own_network import free_port

BINDER = for_everybody(os.path.join(HERE, "binder.py"))
EVERYBODYS_WORKER = for_everybody(WORKER)
LISTEN = ("-l", "127.0.0.1:0")


def setUpModule():
    own_network.enter()


def generation_of(address):
    return int(re.search(r" generation (\d+)", ask(address)).group(1))


class Canary(Case):
    def begins(self, g):
        """A reload that waits; its canary gets its share."""
        asker = self.reloading(g)
        wait_until(lambda: g.status()["canary"] or asker.poll() is not None, g.said)
        self.assertIsNone(asker.poll(), g.said())
        return asker

    def ended(self, asker):
        out, err = asker.communicate(timeout=PATIENCE)
        return asker.returncode, out, err

    def assert_has_failed(self, asker, why):
        code, _, said = self.ended(asker)
        self.assertEqual(code, 1, said)
        self.assertIn(why, said)
        self.assertIn("generation 1 still serves", said)

    def only_the_first_answers(self, address):
        for _ in range(40):
            self.assertEqual(generation_of(address), 1)

    def share_of(self, address, connections):
        return sum(generation_of(address) == 2 for _ in range(connections))

    def held_to_its_share(self, g, address, counted):
        asker = self.begins(g)
        self.assertIn("generation 2 gets 10% of new connections", g.run("status").stdout)
        connections = 10_000
        got = self.share_of(address, connections)
        self.assertGreater(got, 800)
        self.assertLess(got, 1200)
        canary = g.status()["canary"]
        self.assertEqual((canary["share"], canary["step"], canary["steps"]), (0.1, 1, 1))
        self.assertGreater(canary["left_s"], 0)
        counts = (canary["candidate_connections"], canary["serving_connections"])
        self.assertEqual(counts, (got, connections - got) if counted else (None, None))
        r = g.run("rollback")
        self.assertEqual((r.returncode, r.stdout), (0, "t: generation 2 rolled back, generation 1 serves again\n"), r.stderr)
        self.assert_has_failed(asker, "with 10% of new connections: rolled back, asked by ")
        self.only_the_first_answers(address)
        self.assertIsNone(g.status()["canary"])
        self.assertEqual(g.end(), 0)

    def test_of_10000_connections_a_share_of_10_percent_is_8_to_12_percent(self):
        g = self.serving("--canary", "10%/1h")
        self.held_to_its_share(g, g.address(), os.geteuid() == 0)

    def unprivileged(self):
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)

    def test_the_same_without_privilege(self):
        g = self.graced("--canary", "10%/1h", command=(EVERYBODYS_WORKER, "ready", "serve"), preexec=self.unprivileged,
                        within=("sh", "-c", '"$@"; exit $?', "sh", *NO_PRIVILEGE))
        self.held_to_its_share(g, g.address(), False)

    def test_an_adopted_port_is_shared_out_and_a_path_goes_over_at_the_end(self):
        port, path = free_port(), self.path("s")
        g = self.graced("--canary", "50%/1h", options=(),
                        command=(BINDER, "tcp:127.0.0.1:%d" % port, "unix:" + path, "ready"))
        asker = self.begins(g)
        got = self.share_of(("127.0.0.1", port), 400)
        self.assertGreater(got, 100)
        self.assertLess(got, 300)
        self.only_the_first_answers(path)
        self.assertEqual(g.said().count("s cannot be shared out: it goes over when this generation serves"), 1, g.said())
        self.assertEqual(g.run("abort").returncode, 0)
        self.assert_has_failed(asker, "with 50% of new connections: aborted by ")
        self.only_the_first_answers(("127.0.0.1", port))
        self.only_the_first_answers(path)

    def test_step_by_step_until_it_serves(self):
        config = self.write("t.conf", "canary = 20%/100ms,80%/100ms\ngate = sh -c 'env | grep ^GRACED_ >>gate.env'\n")
        g = self.serving("--config", config)
        load = Load("%s:%d" % g.address())
        try:
            r = g.reload()
            report = load.report()
        finally:
            load.close()
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "t: generation 2 serves\n", ""))
        assert_nothing_lost(self, report)
        for step in ("20% of new connections for 100ms, step 1 of 2", "80% of new connections for 100ms, step 2 of 2"):
            self.assertIn("gets " + step, g.said())
        with open(self.path("gate.env")) as f:
            told = f.read()
        self.assertEqual(told.count("GRACED_EVENT=gate\n"), 2)
        for line in ("GRACED_GENERATION=2", "GRACED_SERVING=1", "GRACED_NAME=t", "GRACED_CANARY_SHARE=20",
                     "GRACED_CANARY_STEP=1", "GRACED_CANARY_STEPS=2", "GRACED_CANARY_SHARE=80"):
            self.assertIn(line + "\n", told)
        self.soon("generation 2 ", g.ask)
        entry = json.loads(g.run("history", "--json").stdout)["history"][-1]
        self.assertEqual((entry["event"], entry["generation"]), ("reloaded", 2))
        self.assertGreaterEqual(entry["canary_s"], 0.2)
        self.assertRegex(g.run("history").stdout, r"generation 2 serves after .*, canary \S+\)")

    def test_a_gate_refuses_with_its_last_line(self):
        g = self.serving("--canary", "50%/1ms,60%/1h", "--gate", "sh -c 'echo 300 requests; echo 12 errors of 300; exit 3'")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("with 50% of new connections: gate: 12 errors of 300", r.stderr)
        g.wait("STATUS=.*the reload to generation 2 failed: with 50% of new connections: gate: 12 errors of 300")
        self.only_the_first_answers(g.address())
        wait_until(lambda: len(g.workers()) == 1, g.said)

    def test_what_a_gate_says_at_stderr_is_the_reason_whenever_it_says_the_rest(self):
        # As a program does that keeps its standard output in a buffer until it ends.
        gate = self.write("gate", "#!/bin/sh\necho asking 3 servers\necho 12 errors of 300 >&2\necho 300 requests\nexit 3\n", 0o755)
        g = self.serving("--canary", "50%/1ms", "--gate", gate)
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("with 50% of new connections: gate: 12 errors of 300", r.stderr)
        said = [line for line in g.said().splitlines() if line in ("asking 3 servers", "12 errors of 300", "300 requests")]
        self.assertCountEqual(said, ["asking 3 servers", "12 errors of 300", "300 requests"])
        self.assertLess(said.index("asking 3 servers"), said.index("300 requests"))

    def test_a_gate_that_is_not_there_refuses(self):
        g = self.serving("--canary", "50%/1ms", "--gate", "./no-such-gate")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("with 50% of new connections: gate: ", r.stderr)
        self.assertIn("no-such-gate", r.stderr)

    def test_a_canary_that_crashes_costs_only_what_was_in_flight_there(self):
        g = self.serving("--canary", "50%/1h", "--workers", "2")
        serving = [w["pid"] for w in g.workers("ready")]
        asker = self.begins(g)
        load = Load("%s:%d" % g.address())
        try:
            canary = [w["pid"] for w in g.workers("ready") if w["generation"] == 2]
            while load.next_pid() not in canary:
                pass
            for pid in canary:
                with contextlib.suppress(ProcessLookupError):  # graced ends the second one when it sees the first one's end
                    os.kill(pid, signal.SIGKILL)
            self.assert_has_failed(asker, "with 50% of new connections: worker ")
            report = load.report()
        finally:
            load.close()
        self.assertEqual(report["failures"].get("refused", 0), 0, report)
        self.assertLessEqual(report["failed"], len(canary) if os.geteuid() == 0 else 10, report)
        self.assertEqual([w["pid"] for w in g.workers("ready")], serving)
        self.only_the_first_answers(g.address())

    def test_what_a_canary_that_failed_is_in_the_middle_of_it_finishes(self):
        port = free_port()
        g = self.graced("--canary", "99.9%/1h", options=(),
                        command=(BINDER, "tcp:127.0.0.1:%d" % port, "ready", "held:" + self.path("answer")))
        asker = self.begins(g)
        clients = []
        for _ in range(3):
            client = socket.create_connection(("127.0.0.1", port), PATIENCE)
            self.addCleanup(client.close)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            clients.append(client)
        self.assertEqual(g.run("rollback").returncode, 0)
        self.assert_has_failed(asker, "rolled back, asked by ")
        wait_until(lambda: any(w["connections"] for w in g.workers("draining") if w["generation"] == 2), g.said)
        self.write("answer", "")
        answers = [b"".join(iter(lambda c=c: c.recv(65536), b"")) for c in clients]
        self.assertTrue(any(b"generation 2" in a for a in answers), answers)
        self.assertTrue(all(b"200 OK" in a for a in answers), answers)
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.only_the_first_answers(("127.0.0.1", port))

    def test_a_stop_ends_both(self):
        g = self.serving("--canary", "50%/1h")
        asker = self.begins(g)
        pids = [w["pid"] for w in g.workers()]
        self.assertEqual(g.end(), 0)
        self.assertEqual(self.ended(asker)[0], 1)
        self.assert_nothing_left(g, *pids)

    def test_then_comes_the_probation(self):
        g = self.serving("--canary", "50%/1ms", "--probation", "1h")
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("on probation for ", r.stdout)
        self.assertEqual(g.status()["standby"], 1)

    def test_check_tells_the_course_of_a_reload(self):
        r = self.run_graced("check", *LISTEN, "--canary", "5%/30s,25%/2min", "--gate", "true", "--probation", "10min", "--",
                            WORKER, "ready")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("A reload: 5% of new connections for 30s and the gate, then 25% for 2min and the gate, then all of them, "
                      "then probation for 10min.\n", r.stdout)

    def test_what_makes_no_sense_is_refused(self):
        def refused(words, *options):
            self.assert_refused(words, "run", *options, "--", WORKER, "ready")
            r = self.run_graced("check", *options, "--", WORKER, "ready")
            self.assertEqual(r.returncode, 2, r.stderr)
            for word in [words] if isinstance(words, str) else words:
                self.assertIn(word, r.stderr)

        for canary, words in (("100%/1s", "is all of them"), ("0%/1s", "is none"), ("5%", "is no step"),
                              ("half/1s", "is no share"), ("25%/1s,5%/1s", "shares must rise"),
                              ("5%/infinity", "is no time for a step")):
            refused(["--canary", words], "--canary", canary, *LISTEN)
        self.assertIn("--gate has no effect without --canary",
                      self.run_graced("check", "--gate", "true", *LISTEN, "--", WORKER, "ready").stdout)
        refused("canary: no address is switched", "--canary", "5%/1s", "-l", "unix:" + self.path("s"))

    def test_without_steering_there_is_no_canary(self):
        self.assert_refused("canary cannot be had here", "run", "--canary", "5%/1s", *LISTEN, "--", WORKER, "ready",
                            preexec_fn=refusing(*NO_STEERING))


if __name__ == "__main__":
    main()
