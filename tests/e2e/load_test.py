"""Reloads under load: no request is refused, reset or left unanswered."""
import os, signal
from harness import Case, descriptors, main, wait_for_no_more_descriptors, wait_until

SERVER = os.environ["EXAMPLE_SERVER"]
RELOADS = int(os.environ.get("GRACED_RELOADS", "150"))


class UnderLoad(Case):
    def one_is_left(self, g):
        wait_until(lambda: len(g.workers()) == 1, lambda: "%s\n%s" % (g.run("status").stdout, g.said()[-5000:]))

    def reload_under_load(self, listen, reload):
        g = self.graced("-l", listen, options=(), command=(SERVER,))
        where = g.address()
        where = "unix:" + where if isinstance(where, str) else "%s:%d" % where
        loads = [self.load("--clients", "4", where), self.load("--clients", "4", "--keep-alive", where),
                 self.load("--clients", "8", "--keep-alive", "--pause", "50ms", where)]
        before = None
        for i in range(RELOADS):
            reload(g)
            if i == 20:
                self.one_is_left(g)
                before = descriptors(g.pid)
        self.one_is_left(g)
        # The socket of the generation before waits for the next one, unless a client came to it late.
        wait_for_no_more_descriptors(g.pid, before, spare=1)
        for load in loads:
            r = self.report(load)
            self.assertEqual((r["failed"], r["soft"]), (0, 0), r)
            self.assertGreater(r["answered"], 20)
        self.assertEqual(g.status()["pid"], g.pid)
        self.assertEqual(g.status()["reloads"], RELOADS)
        self.assertEqual(g.end(), 0)

    def test_tcp_by_signal(self):
        def reload(g):
            g.signal(signal.SIGHUP)
            g.wait("RELOADING=1")
            g.wait("READY=1")
        self.reload_under_load("127.0.0.1:0", reload)

    def test_unix_by_command(self):
        self.reload_under_load("unix:" + self.path("s"), lambda g: self.assertEqual(g.reload().returncode, 0))


if __name__ == "__main__":
    main()
