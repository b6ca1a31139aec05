"""graced under runit, as packaging/examples/runit has it."""
import os, re
from managed import Managed, ask, main, needs, wait_until


@needs("runsv", "sv")
class Runit(Managed):
    def start(self):
        os.mkdir(self.path("shop"))
        self.write("shop/run", self.example("runit/shop/run"), 0o755)
        # Here it is found by where it is, not by a name below /run.
        self.write("shop/check", self.example("runit/shop/check", **{"status shop": "status"}), 0o755)
        self.runsv = self.manager("runsv", self.path("shop"))
        wait_until(lambda: "run: " in self.sv("status", ok=False).stdout, self.said)

    def sv(self, *words, ok=True):
        return self.run_in("sv", *words, self.path("shop"), ok=ok)

    def pid(self):
        return int(re.search(r"\(pid (\d+)\)", self.sv("status").stdout).group(1))

    def test_it_reloads_by_sv_hup_and_the_pid_stays(self):
        self.start()
        self.reload_loop(lambda: self.sv("hup"), self.pid)

    def test_it_is_upgraded_in_place_and_runit_notices_nothing(self):
        self.env["LEAVE_FILE"] = self.path("leave")
        self.serve("ready", "serve-late")
        self.start()
        with open(self.path("leave"), "w"):
            pass
        pid = self.upgrade_loop(lambda: self.sv("hup"), self.pid, self.started)
        os.unlink(self.path("leave"))
        self.stop_finishes_what_is_under_way(["sv", "-w", "60", "stop", self.path("shop")], pid)

    def started(self):
        """When, as runsv has noted it, and whether it has run ever since."""
        with open(self.path("shop/supervise/status"), "rb") as f:
            return f.read()

    def test_sv_start_and_check_wait_until_it_serves(self):
        self.start()
        self.sv("-w", "60", "start")
        self.assertIn("generation 1", ask(self.address))
        self.sv("-w", "60", "check")

    def test_a_stop_lets_workers_finish(self):
        self.env["LEAVE_FILE"] = self.path("leave")
        self.serve("ready", "serve-late")
        self.start()
        self.stop_finishes_what_is_under_way(["sv", "-w", "60", "stop", self.path("shop")], self.serving(1))

    def test_it_starts_again_after_a_crash(self):
        self.start()
        again = self.crash()
        self.assertEqual(self.pid(), again)


if __name__ == "__main__":
    main()
