"""What the probes of a container engine are told, by exit status, over the life of an instance."""
import signal
from harness import Case, main, wait_until


class Probe(Case):
    def probe(self, g, question):
        r = g.run("status", question)
        return r.returncode, r.stdout + r.stderr

    def test_alive_but_not_ready_until_the_first_generation_is(self):
        g = self.serving(habits=("sleep=1000",), wait=False)
        wait_until(lambda: self.probe(g, "--alive")[0] == 0, g.said)
        code, said = self.probe(g, "--ready")
        self.assertEqual(code, 1, said)
        self.assertIn("generation 1 is not ready yet", said)
        g.signal(signal.SIGTERM)
        g.end()

    def test_ready_also_after_a_reload_that_failed(self):
        g = self.switchable()
        self.assertEqual(self.probe(g, "--ready"), (0, "t: ready, generation 1 serves\n"))
        self.become("exit=3")
        self.assertEqual(g.reload().returncode, 1)
        self.assertEqual(self.probe(g, "--ready")[0], 0)
        self.assertEqual(self.probe(g, "--alive")[0], 0)

    def test_not_ready_while_it_stops_and_nobody_when_it_is_gone(self):
        leave = self.path("leave")
        g = self.serving(habits=("ready", "serve-late"), env={"LEAVE_FILE": leave})
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        code, said = self.probe(g, "--ready")
        self.assertEqual(code, 1, said)
        self.assertIn("it is stopping", said)
        self.assertEqual(self.probe(g, "--alive")[0], 0)
        self.write("leave", "")
        self.assertEqual(g.end(None), 0)
        self.assertEqual(self.probe(g, "--ready")[0], 3)
        self.assertEqual(self.probe(g, "--alive")[0], 3)

    def test_a_graced_that_hangs_is_not_alive(self):
        g = self.serving()
        g.signal(signal.SIGSTOP)
        self.addCleanup(g.signal, signal.SIGCONT)
        code, said = self.probe(g, "--alive")
        self.assertEqual(code, 4, said)
        self.assertIn("does not answer", said)


if __name__ == "__main__":
    main()
