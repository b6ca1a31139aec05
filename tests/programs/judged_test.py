"""What is promised for a Go server that knows nothing of graced, takes its time for an answer, and dies at
SIGTERM: many reloads, crashes, many generations, an ordinary user; and one that replaces itself."""
import os, signal
from program import HARD, RELOADS, ProgramCase, alive, built, main, setUpModule, wait_until

PORT = ("127.0.0.1", 8080)
WHERE = "127.0.0.1:8080"


class Judged(ProgramCase):
    def test_reloads_under_every_kind_of_client(self):
        g = self.program(built("server"), "-delay", "20ms", ":8080", options=("--drain-timeout", "3s"))
        clients = "--clients", "4", "--expect", "pid "
        loads = {"short": self.load(WHERE, *clients), "busy": self.load(WHERE, "--keep-alive", *clients),
                 "kept": self.load(WHERE, "--keep-alive", "--pause", "300ms", *clients)}
        for load in loads.values():
            load.began()
        took = []
        for left in reversed(range(RELOADS)):
            self.reload(g)
            took.append(g.status()["last_reload"]["took_s"])
            if left % 2:
                self.one_serves(g)
        self.one_serves(g)
        self.judge(g, {kind: load.report() for kind, load in loads.items()}, took)

    def test_ten_kills_refuse_nobody(self):
        g = self.program(built("server"), ":8080", options=("--restart-delay", "20ms", "--start-limit", "100/1min"))
        load = self.load(WHERE, "--clients", "4", "--pause", "2ms", "--expect", "pid ")
        load.began()
        for _ in range(10):
            killed = g.workers("ready")[0]["pid"]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != killed], g.said)
            self.answer(PORT)
        report = load.report()
        # A connection that the killed one had accepted is reset, and nobody can change that.
        never = "refused", "timeout", "http", "body", "local"
        self.assertEqual({f: report["failures"][f] for f in never if report["failures"][f]}, {}, report)
        self.assertGreaterEqual(len(report["pids"]), 10)

    def test_five_generations_and_new_connections_go_to_the_last(self):
        g = self.program(built("server"), ":8080")
        held = []
        for generation in range(1, 6):
            if generation > 1:
                self.reload(g)
            serving, = [w["pid"] for w in g.workers("ready")]
            held.append((serving, self.begin(PORT)))
            for _ in range(40):
                self.assertEqual(self.answered_by(g, self.answer(PORT)), serving)
        self.assertEqual([w["state"] for w in g.workers()], ["draining"] * 4 + ["ready"])
        # One that ends in between moves the others' places in the kernel's list.
        order = [2, 0, 3, 1]
        for i in order:
            pid, connection = held[i]
            self.assertEqual(self.answered_by(g, self.finish(connection)), pid)
            wait_until(lambda: not alive(pid), g.said)
            for _ in range(40):
                self.assertEqual(self.answered_by(g, self.answer(PORT)), serving)
        self.assertEqual(self.answered_by(g, self.finish(held[4][1])), serving)

    def test_an_ordinary_user(self):
        g = self.program(built("server"), ":8080", preexec=self.as_nobody_for_good)
        self.assertIn("while several generations drain, a new connection now and then reaches an old one", g.said())
        self.two_generations_at_once(g, PORT)
        self.reloads_lose_nothing(g, PORT)

    def test_a_server_that_replaces_itself(self):
        """graced does not pass SIGHUP on, so there is no occasion for that; it stops as if told to."""
        g = self.program(built("endless"), ":8080")
        self.two_generations_at_once(g, PORT)
        pids = set()
        load = self.load(WHERE, "--clients", "2", "--pause", "2ms", "--expect", "pid ")
        load.began()
        for generation in range(3, 3 + RELOADS):
            g.signal(signal.SIGHUP)
            wait_until(lambda: g.status()["serving"] == generation, g.said)
            pids.add(self.answered_by(g, self.answer(PORT)))
        report = load.report()
        self.assertEqual({f: report["failures"][f] for f in HARD if report["failures"][f]}, {}, g.said())
        self.assertEqual(len(pids), RELOADS)
        self.assertEqual(g.status()["pid"], g.pid)

    def test_a_server_that_is_told_to_replace_itself(self):
        """Somebody sends the signal to the worker: its successor is no child of graced's, and graced starts one
        of its own, which gets the connections."""
        g = self.program(built("endless"), ":8080", options=("--restart-delay", "20ms"))
        load = self.load(WHERE, "--clients", "2", "--pause", "2ms", "--expect", "pid ")
        load.began()
        first = self.one_serves(g)
        os.kill(first, signal.SIGHUP)
        second = wait_until(lambda: [w["pid"] for w in g.workers("ready") if w["pid"] != first], g.said)[0]
        wait_until(lambda: self.answered_by(g, self.answer(PORT)) == second, g.said)
        self.reload(g)
        third, = [w["pid"] for w in g.workers("ready")]
        for _ in range(40):
            self.assertEqual(self.answered_by(g, self.answer(PORT)), third)
        report = load.report()
        self.assertEqual(report["failures"]["refused"], 0, report)
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
