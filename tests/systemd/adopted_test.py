"""graced@demo with a server that binds its port itself: what becomes of its sockets."""
import os, signal
from machine import BINDER, Case, main, read, refuses, wait_until, write


class Adopted(Case):
    def configure(self, *lines):
        write(self.config, "\n".join(["command = %s tcp:8080" % BINDER, "drain-idle = 50ms", *lines]) + "\n")

    def begins_again(self, restarts):
        wait_until(lambda: self.show("NRestarts") == str(restarts) and self.show("ActiveState") == "active",
                   self.journal)

    def assert_shown(self):
        """The address is in status before any reload."""
        self.assertEqual([(a["name"], a["address"]) for a in self.status()["addresses"]], [("adopted", "tcp 127.0.0.1:8080")])

    def assert_nobody_was_refused(self, report):
        self.assertEqual((report["failures"]["refused"], report["failures"]["timeout"]), (0, 0), report)

    def test_reloads_cost_nobody_anything(self):
        pid = self.start()
        load = self.load()
        for _ in range(10):
            self.systemctl("reload", self.unit)
            self.assertEqual(self.main_pid(), pid)
            load.next_pid()
        self.assert_well(load.report())

    def test_a_killed_graced_refuses_nobody(self):
        pid = self.start()
        load = self.load()
        for restarts in range(1, 4):
            wait_until(lambda: self.show("NFileDescriptorStore") == "1")
            os.kill(pid, signal.SIGKILL)
            load.next_pid()
            self.begins_again(restarts)
            self.assert_shown()
            pid = self.main_pid()
            self.systemctl("reload", self.unit)  # and is switched as ever
            load.next_pid()
        self.assert_nobody_was_refused(load.report())
        wait_until(lambda: self.show("NFileDescriptorStore") == "1")

    def test_where_workers_outlive_graced_the_next_one_shows_the_address(self):
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/keep-workers.conf"))
        pid = self.start("stderr = inherit")
        old = self.status()["workers"][0]["pid"]
        wait_until(lambda: self.show("NFileDescriptorStore") == "1")
        os.kill(pid, signal.SIGKILL)
        self.begins_again(1)
        self.assert_shown()
        wait_until(lambda: not os.path.exists("/proc/%d" % old), self.journal)
        self.assertIn("has survived the graced before", self.journal())
        self.assert_shown()

    def test_a_restart_costs_nobody_anything(self):
        self.start()
        load = self.load()
        for _ in range(4):
            pid = self.main_pid()
            self.systemctl("restart", self.unit)
            self.assertNotEqual(self.main_pid(), pid)
            self.assert_shown()
        self.assert_well(load.report())
        self.systemctl("stop", self.unit)
        wait_until(lambda: refuses(self.address))


if __name__ == "__main__":
    main()
