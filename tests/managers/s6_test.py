"""graced under s6, as packaging/examples/s6 has it."""
import os
from managed import Managed, ask, main, needs, wait_until


@needs("s6-supervise", "s6-svc", "s6-svstat", "s6-svwait")
class S6(Managed):
    def start(self):
        os.mkdir(self.path("shop"))
        for name in ("run", "notification-fd", "timeout-kill"):
            self.write("shop/" + name, self.example("s6/shop/" + name), 0o755 if name == "run" else 0o644)
        self.manager("s6-supervise", self.path("shop"))
        # Until it has made its fifos nobody can ask it anything.
        wait_until(lambda: self.run_in("s6-svok", self.path("shop"), ok=False).returncode == 0, self.said)

    def svc(self, *words):
        return self.run_in("s6-svc", *words, self.path("shop"))

    def svstat(self, what):
        return self.run_in("s6-svstat", "-o", what, self.path("shop")).stdout.strip()

    def pid(self):
        return int(self.svstat("pid"))

    def test_it_reloads_by_s6_svc_h_and_the_pid_stays(self):
        self.start()
        self.reload_loop(lambda: self.svc("-h"), self.pid)

    def test_it_is_upgraded_in_place_and_s6_notices_nothing(self):
        self.start()
        self.run_in("s6-svwait", "-U", "-t", "60000", self.path("shop"))
        self.upgrade_loop(lambda: self.svc("-h"), self.pid, lambda: self.svstat("up,ready,updownsince,readysince"))
        self.run_in("s6-svc", "-wD", "-d", self.path("shop"))

    def test_it_is_ready_for_s6_once_a_generation_serves(self):
        late = self.path("late")
        os.mkfifo(late)
        script = self.write("app", '#!/bin/sh\nread word <"%s"\nexec %s\n' % (late, self.command), 0o755)
        self.write("shop.conf", "command = %s\nlisten = unix:%s\nready = notify\n" % (script, self.address))
        self.start()
        wait_until(lambda: self.status() is not None, self.said)
        wait_until(lambda: self.svstat("up,ready") == "true false", self.said)  # s6 writes down what it started a little later
        with open(late, "w") as f:
            f.write("now\n")
        self.run_in("s6-svwait", "-U", "-t", "60000", self.path("shop"))
        self.assertIn("generation 1", ask(self.address))
        self.assertEqual(self.svstat("up,ready"), "true true")
        self.svc("-h")
        with open(late, "w") as f:
            f.write("now\n")
        self.serving(2)
        self.assertEqual(self.svstat("up,ready"), "true true")

    def test_a_stop_lets_workers_finish(self):
        self.env["LEAVE_FILE"] = self.path("leave")
        self.serve("ready", "serve-late")
        self.start()
        self.stop_finishes_what_is_under_way(["s6-svc", "-wD", "-d", self.path("shop")], self.serving(1))

    def test_it_starts_again_after_a_crash(self):
        self.start()
        again = self.crash()
        self.assertEqual(self.pid(), again)


if __name__ == "__main__":
    main()
