"""When a worker is ready: it listens before it loads, it says READY=1 before it can answer, it never waits
visibly, it is a wrapper that keeps the sockets to itself."""
import ctypes, os, socket, threading
import own_network
from harness import Case, HERE, WORKER, ask, for_everybody, main, wait_until
from own_network import free_port

EXAMPLE_SERVER = os.environ["EXAMPLE_SERVER"]
PREFORKER = for_everybody(os.path.join(HERE, "preforker.py"))
BINDER = for_everybody(os.path.join(HERE, "binder.py"))
PR_CAPBSET_DROP, CAP_SYS_PTRACE = 24, 19
libc = ctypes.CDLL(None, use_errno=True)


def setUpModule():
    own_network.enter()


class Preforker(Case):
    def preforked(self, *habits, passed, options=(), **more):
        """graced with preforker.py behind it, that binds its address itself or is passed it."""
        self.port = free_port()
        self.own = () if passed else ("tcp:%d" % self.port,)
        self.becomes(*habits)
        listen = ("-l", "127.0.0.1:%d" % self.port) if passed else ()
        return self.graced(*listen, *options, options=(), command=(self.reader(PREFORKER),), name="t%d" % self.port, **more)

    def becomes(self, *habits):
        self.become(*self.own, *habits)

    def generation(self):
        return ask(("127.0.0.1", self.port)).rpartition(" ")[2].strip()

    def generation_from_now_on(self):
        """An old process that is told to leave takes a connection along: these servers have no manners."""
        try:
            return self.generation()
        except ConnectionError:
            return ""

    def reload_in_background(self, g):
        answer = []
        t = threading.Thread(target=lambda: answer.append(g.reload()))
        t.start()
        return lambda: (t.join(), answer[0])[1]

    def loading(self, name="fifo"):
        """What a candidate loads, and the end of it: open once it does."""
        path = self.path(name)
        if not os.path.exists(path):
            os.mkfifo(path)
        return path

    def both_ways(self, check):
        for passed in False, True:
            for speaks in (), ("ready",):
                with self.subTest(passed=passed, speaks=bool(speaks)):
                    check(passed, speaks)

    def test_a_server_that_listens_before_it_loads_is_not_ready_until_it_has(self):
        def check(passed, speaks):
            g = self.preforked(*speaks, passed=passed)
            fifo = self.loading()
            self.becomes(*speaks, "load:" + fifo)
            answer = self.reload_in_background(g)
            end = os.open(fifo, os.O_WRONLY)  # it loads
            for _ in range(100):
                self.assertEqual(self.generation(), "1")
            self.assertEqual(g.status()["phase"], "reloading")
            os.close(end)
            r = answer()
            self.assertEqual(r.returncode, 0, r.stderr + g.said())
            self.soon("2", self.generation_from_now_on)
            self.assertEqual(g.end(), 0)

        self.both_ways(check)

    def test_a_server_whose_application_raises_changes_nothing(self):
        def check(passed, speaks):
            g = self.preforked(*speaks, passed=passed)
            fifo = self.loading()
            self.becomes(*speaks, "load:" + fifo, "raise")
            answer = self.reload_in_background(g)
            end = os.open(fifo, os.O_WRONLY)
            for _ in range(20):
                self.assertEqual(self.generation(), "1")
            os.close(end)
            r = answer()
            self.assertEqual(r.returncode, 1, g.said())
            self.assertIn("no such table: orders", r.stderr)
            for _ in range(20):
                self.assertEqual(self.generation(), "1")
            self.assertEqual(g.end(), 0)

        self.both_ways(check)

    def test_one_that_has_registered_its_sockets_and_loads_does_not_wait_yet(self):
        def check(passed, speaks):
            g = self.preforked(*speaks, passed=passed)
            fifo = self.loading()
            self.becomes(*speaks, "registered", "load:" + fifo)
            answer = self.reload_in_background(g)
            end = os.open(fifo, os.O_WRONLY)
            for _ in range(50):
                self.assertEqual(self.generation(), "1")
            self.assertEqual(g.status()["phase"], "reloading")
            os.close(end)
            r = answer()
            self.assertEqual(r.returncode, 0, r.stderr + g.said())
            self.assertEqual(g.end(), 0)

        self.both_ways(check)

    def test_the_first_start_waits_for_it_as_well(self):
        fifo = self.loading()
        g = self.preforked("load:" + fifo, passed=False, wait=False)
        end = os.open(fifo, os.O_WRONLY)
        self.assertEqual(g.run("status", "--ready").returncode, 1)
        os.close(end)
        g.wait("READY=1")
        self.assertEqual(self.generation(), "1")

    def test_several_sockets_of_one_address_each_with_a_process(self):
        g = self.preforked("several:3", passed=False)
        self.assertEqual(g.reload().returncode, 0, g.said())
        for _ in range(30):
            self.assertEqual(self.generation(), "2")

    def test_what_never_waits_is_not_ready_and_the_reason_tells_the_way_out(self):
        for passed in False, True:
            with self.subTest(passed=passed):
                g = self.preforked(passed=passed, options=self.ready_within("10min"))
                self.ready_within("6s")
                self.becomes("never")
                r = g.reload()
                self.assertEqual(r.returncode, 1)
                self.assertIn("nobody is seen waiting for connections", r.stderr)
                self.assertIn("127.0.0.1:%d" % self.port, r.stderr)
                self.assertIn("--ready after" if passed else "--ready listen takes listening alone for ready", r.stderr)
                self.assertEqual(self.generation(), "1")
                self.assertEqual(g.end(), 0)

    def test_ready_listen_takes_listening_alone_for_ready(self):
        g = self.preforked("spin", passed=False, options=("--ready", "listen"))
        self.assertEqual(self.generation(), "1")
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(self.generation(), "2")

    def test_ready_1_of_one_that_never_waits_visibly_is_believed_after_all_and_noted_once(self):
        for passed in False, True:
            with self.subTest(passed=passed):
                g = self.preforked("ready", "spin", passed=passed)
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.soon("2", self.generation_from_now_on)
                notes = [line for line in g.said().splitlines() if "nobody is seen waiting for connections" in line]
                self.assertEqual(len(notes), 1, g.said())
                self.assertIn("--ready notify", notes[0])
                self.assertEqual(g.end(), 0)

    def test_ready_1_is_not_believed_where_the_serving_generation_waits_and_the_candidate_does_not(self):
        g = self.preforked("ready", passed=True, options=self.ready_within("10min"))
        self.ready_within("10s")
        self.becomes("ready", "never")
        r = g.reload()
        self.assertEqual(r.returncode, 1, g.said())
        self.assertIn("READY=1, but nobody is seen waiting for connections on tcp 127.0.0.1:%d" % self.port, r.stderr)
        self.assertEqual(self.generation(), "1")

    def test_ready_notify_believes_the_word_at_once(self):
        g = self.preforked("ready", "never", passed=False, options=("--ready", "notify"))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertNotIn("nobody is seen", g.said())


class Wrapper(Case):
    """ready rule × speaks or not × wrapped or not, of a worker that takes its sockets only if LISTEN_PID is its own."""

    def start(self, rule, speaks, wrapped, ready_in="30s"):
        words = " ".join((["ready"] if speaks else []) + ["serve"])
        command = ("sh", "-c", "'%s' %s; true" % (WORKER, words)) if wrapped else (WORKER, *words.split())
        return self.graced("--ready", rule, "--ready-timeout", ready_in, "--stop-timeout", "1s", command=command, wait=False,
                           name="%s-%d-%d" % (rule.partition(":")[0], speaks, wrapped))

    def test_it_gets_ready(self):
        for rule, speaks in [("auto", 0), ("auto", 1), ("notify", 1), ("listen", 0), ("listen", 1), ("after:200ms", 0),
                             ("after:200ms", 1)]:
            with self.subTest(rule=rule, speaks=speaks):
                g = self.start(rule, speaks, wrapped=False)
                g.wait("READY=1")
                self.assertIn("generation 1", g.ask())
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertNotIn("LISTEN_PID", g.said())
                self.assertEqual(g.end(), 0)

    def test_it_does_not_and_the_reason_tells_why(self):
        cases = [("auto", 1, True, ["READY=1 from PID", "nobody of the worker's waits", "LISTEN_PID names PID", "(sh)", "exec"]),
                 ("auto", 0, True, ["nobody is seen waiting", "LISTEN_PID names PID", "(sh)", "exec"]),
                 ("listen", 1, True, ["nobody is seen waiting", "LISTEN_PID names PID", "(sh)", "exec"]),
                 ("notify", 0, True, ["no READY=1 from the worker", "--ready notify"]),
                 ("notify", 0, False, ["no READY=1 from the worker", "--ready notify"])]
        started = [self.start(*case[:3], ready_in="10s") for case in cases]  # what it has to say by then takes a while in a crowd
        for g, (rule, speaks, wrapped, words) in zip(started, cases):
            with self.subTest(rule=rule, speaks=speaks, wrapped=wrapped):
                self.assertEqual(g.end(None), 1)
                for word in words:
                    self.assertIn(word, g.said())

    def test_notify_believes_a_wrapped_one_but_warns(self):
        g = self.start("notify", True, wrapped=True)
        g.wait("READY=1")
        self.assertRegex(g.said(), r"warning.*LISTEN_PID names PID \d+ \(sh\).*exec")

    def test_a_server_of_the_library_below_a_wrapper_says_to_use_exec_and_serves_nowhere_else(self):
        for rule in "auto", "notify", "listen", "after:10s":
            with self.subTest(rule=rule):
                g = self.graced("--ready", rule, "--restart", "never", "--stop-timeout", "1s", wait=False, name="sdk-" + rule[:4],
                                command=("sh", "-c", "'%s' 127.0.0.1:0" % EXAMPLE_SERVER + "; exit $?"))
                self.assertNotEqual(g.end(None), 0)
                self.assertRegex(g.said(), r"sockets were passed to PID \d+ \(sh\): use exec")
                self.assertNotIn("listening on", g.said())

    def test_a_server_of_the_library_that_is_execed_gets_ready_by_every_rule(self):
        for rule in "auto", "notify", "listen", "after:50ms":
            with self.subTest(rule=rule):
                g = self.graced("--ready", rule, name="exec-" + rule[:4],
                                command=("sh", "-c", "exec '%s' 127.0.0.1:0" % EXAMPLE_SERVER))
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertIn("generation 2", g.ask())
                self.assertEqual(g.end(), 0)

    def test_a_worker_finds_how_long_it_has_to_leave(self):
        for options, said in [((), "60 30 (unset)"),
                              (("--drain-timeout", "1min 500ms", "--stop-timeout", "infinity"), "60.5 infinity (unset)"),
                              (("--drain", "idle", "--drain-grace", "2s"), "60 30 2")]:
            with self.subTest(options=options):
                g = self.graced(*options, name=said.replace(" ", "-"), command=(
                    WORKER, "say={env:GRACED_DRAIN_TIMEOUT} {env:GRACED_STOP_TIMEOUT} {env:GRACED_DRAIN_GRACE}", "ready", "serve"))
                wait_until(lambda: said in g.said(), g.said)
                self.assertEqual(g.end(), 0)

    def test_who_has_closed_the_sockets_is_not_ready_whatever_it_says(self):
        for rule in "auto", "notify":
            with self.subTest(rule=rule):
                g = self.graced("--ready", rule, "--ready-timeout", "10s", "--stop-timeout", "1s", wait=False, name=rule,
                                command=("sh", "-c", "exec 3<&-; exec '%s' ready sleep=1000" % WORKER))
                if rule == "notify":
                    g.wait("READY=1")
                else:
                    self.assertEqual(g.end(None), 1)
                self.assertIn("READY=1, but no process of the worker has the sockets that were passed", g.said())

    def test_the_generation_that_must_speak_is_told_that_it_did_not(self):
        g = self.switchable(*self.ready_within("10min"))
        self.ready_within("1s")
        self.become("serve")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("no READY=1 from the worker, which the generation before has said", r.stderr)
        self.assertIn("--ready listen", r.stderr)


class AddressChanges(Case):
    """Of an adopted server, between two generations."""

    def bound(self, *habits, options=(), **more):
        self.become(*habits)
        return self.graced(*options, options=(), command=(self.reader(BINDER),), **more)

    def test_one_that_waits_elsewhere_fails_long_before_the_timeout_and_the_reason_tells_the_way_out(self):
        for changes in "moved", "dropped":
            with self.subTest(changes=changes):
                kept, gone, new = free_port(), free_port(), free_port()
                g = self.bound("tcp:%d" % kept, "tcp:%d" % gone, options=("--ready-timeout", "1h"), name=changes)
                self.become("tcp:%d" % kept, *(("tcp:%d" % new,) if changes == "moved" else ()))
                r = g.reload()
                self.assertEqual(r.returncode, 1, g.said())
                self.assertIn("nothing listens on tcp 127.0.0.1:%d" % gone, r.stderr)
                self.assertIn("--adopt-changes allow", r.stderr)
                for port in kept, gone:
                    self.assertIn("generation 1", ask(("127.0.0.1", port)))
                self.assertRaises(ConnectionRefusedError, ask, ("127.0.0.1", new))
                self.assertEqual(g.end(), 0)

    def test_allowed_an_address_that_is_gone_is_refused_and_a_new_one_answers(self):
        kept, gone, new = free_port(), free_port(), free_port()
        g = self.bound("tcp:%d" % kept, "tcp:%d" % gone, "held:" + self.path("go"), options=("--adopt-changes", "allow"))
        flying = socket.create_connection(("127.0.0.1", gone))
        self.addCleanup(flying.close)
        flying.settimeout(60)
        flying.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        self.become("tcp:%d" % kept, "tcp:%d" % new)
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr + g.said())
        self.assertRaises(ConnectionRefusedError, ask, ("127.0.0.1", gone))
        for port in kept, new:
            self.assertIn("generation 2", ask(("127.0.0.1", port)))
        self.write("go", "")
        self.assertIn(b"generation 1", flying.recv(65536))
        self.assertEqual(len(g.status()["addresses"]), 2)

    def test_an_address_that_comes_late_is_waited_for(self):
        """It serves on the first, as many do with their figures, and loads; allowed or not."""
        for rule in "refuse", "allow":
            with self.subTest(rule=rule):
                first, second = free_port(), free_port()
                g = self.bound("tcp:%d" % first, "tcp:%d" % second, options=("--adopt-changes", rule), name=rule)
                late = self.path("late-" + rule)
                self.become("at-once", "tcp:%d" % first, "late:" + late, "tcp:%d" % second)
                asked = []
                reload = threading.Thread(target=lambda: asked.append(g.reload()))
                reload.start()
                wait_until(lambda: len(g.workers()) == 2)
                for _ in range(50):
                    for port in first, second:
                        self.assertIn("generation 1", ask(("127.0.0.1", port)))
                self.write("late-" + rule, "")
                reload.join()
                self.assertEqual(asked[0].returncode, 0, g.said())
                for port in first, second:
                    self.assertIn("generation 2", ask(("127.0.0.1", port)))
                self.assertEqual(g.end(), 0)

    def test_a_first_start_that_leaves_a_declared_address_out_tells_which_it_has_instead(self):
        port = free_port()
        g = self.bound("tcp:%d" % port, options=("--adopt", "on", "-l", "%d" % port, "--ready-timeout", "10s"), wait=False)
        self.assertEqual(g.end(None), 1)
        self.assertRegex(g.said(), r"nobody is seen waiting for connections on tcp \S+:%d: it listens on tcp 127.0.0.1:%d" % (port, port))

    def test_sockets_announced_to_another_are_told_of(self):
        g = self.serving(env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
        self.assertIn("the sockets of LISTEN_FDS=1 are not used: LISTEN_PID names PID 1", g.said())


class Hidden(Case):
    def test_a_worker_that_cannot_be_looked_into_gets_ready_and_what_is_given_up_is_told_once(self):
        """graced as in a container: root, without CAP_SYS_PTRACE."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chmod(self.directory, 0o755)
        for speaks in (), ("ready",):
            with self.subTest(speaks=bool(speaks)):
                g = self.serving("--user", "nobody", habits=(*speaks, "serve"), name="speaks" if speaks else "silent",
                                 preexec=lambda: libc.prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0))
                self.assertIn("generation 1", g.ask())
                self.assertEqual(g.reload().returncode, 0, g.said())
                self.assertEqual(g.said().count("cannot be looked into"), 1, g.said())
                self.assertIn("CAP_SYS_PTRACE", g.said())
                self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
