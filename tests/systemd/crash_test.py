"""What becomes of graced@demo when graced hangs or dies."""
import os, signal
from machine import SERVER, Case, ask, main, refuses, read, run, wait_until, write


class Crash(Case):
    def test_a_hung_graced_is_killed_by_the_watchdog_and_serves_again(self):
        self.drop_in("[Service]\nWatchdogSec=500ms\n")
        pid = self.start()
        self.systemctl("reload", self.unit)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active", self.journal)
        self.assertIn("Watchdog timeout", self.journal())
        self.assertNotEqual(self.main_pid(), pid)
        self.assertIn("build a", ask(self.address))

    def test_a_slow_start_and_a_slow_stop_get_the_time_they_ask_for(self):
        # Both take longer than systemd's own limits, which are a second.
        self.drop_in("[Service]\nTimeoutStartSec=1s\nTimeoutStopSec=1s\n")
        self.start("listen = 127.0.0.1:8080", "ready = after:3s", "ready-timeout = 20s")
        self.assertEqual(self.show("Result"), "success")
        self.configure("listen = 127.0.0.1:8080", "stop-timeout = 3s")
        with open(self.config) as f:
            text = f.read().replace("/run/build", "/run/build deaf")
        with open(self.config, "w") as f:
            f.write(text)
        self.systemctl("reload", self.unit)
        self.systemctl("stop", self.unit)
        self.assertEqual(self.show("Result"), "success")
        self.assertIn("is hammered", self.journal())

    def test_a_killed_graced_refuses_nobody(self):
        pid = self.start()
        load = self.load()
        for restarts in range(1, 4):
            os.kill(pid, signal.SIGKILL)
            load.next_pid()  # the next one's worker has answered
            wait_until(lambda: self.show("NRestarts") == str(restarts) and self.show("ActiveState") == "active")
            self.assertNotEqual(self.main_pid(), pid)
            pid = self.main_pid()
        report = load.report()
        # What a worker was answering when it was killed is lost, but nobody finds the door closed.
        self.assertEqual(report["failures"]["refused"], 0, report)
        self.assertEqual(report["failures"]["timeout"], 0, report)
        self.assertIn("listens on tcp 127.0.0.1:8080 again", self.journal())
        self.assertEqual(self.show("NFileDescriptorStore"), "1")

    def any_port(self):
        """Of the IPv4 address of the one named so: localhost may be an IPv6 address as well, with a port of its own."""
        port, = [a["address"].rpartition(":")[2] for a in self.status()["addresses"]
                 if a["name"] == "any" and a["address"].startswith("tcp 127.0.0.1:")]
        return port

    def test_a_restart_costs_nobody_anything(self):
        self.start("listen = 127.0.0.1:8080", "listen = unix:/run/demo.sock", "listen = localhost:0,name=any")
        port = self.any_port()
        loads = [self.load(), self.load("unix:/run/demo.sock"), self.load("127.0.0.1:" + port)]
        for _ in range(4):  # systemd's own limit is five starts within ten seconds
            pid = self.main_pid()
            self.systemctl("restart", self.unit)
            self.assertNotEqual(self.main_pid(), pid)
        for load in loads:
            self.assert_well(load.report())
        self.assertEqual(self.any_port(), port)

        self.systemctl("stop", self.unit)
        self.assertFalse(os.path.exists("/run/demo.sock"))
        wait_until(lambda: refuses(self.address))

    def test_sockets_that_each_generation_has_of_its_own_survive_too(self):
        self.start("listen = 127.0.0.1:8080", "drain = idle")
        self.systemctl("reload", self.unit)
        load = self.load()
        self.systemctl("restart", self.unit)
        load.next_pid()
        self.assert_well(load.report())

        load = self.load()
        os.kill(self.main_pid(), signal.SIGKILL)
        load.next_pid()
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active")
        self.systemctl("reload", self.unit)
        load.next_pid()
        report = load.report()
        self.assertEqual((report["failures"]["refused"], report["failures"]["timeout"]), (0, 0), report)
        self.assertEqual(self.show("NFileDescriptorStore"), "1")

    def killed_on_probation(self):
        """One of the two generations serves in the end."""
        first = self.status()["workers"][0]["pid"]
        self.systemctl("reload", self.unit)
        self.assertEqual([w["pid"] for w in self.status()["workers"] if w["state"] == "standby"], [first])
        load = self.load()
        os.kill(self.main_pid(), signal.SIGKILL)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active", self.journal)
        ready, = [w for w in self.status()["workers"] if w["state"] == "ready"]
        wait_until(lambda: "pid %d " % ready["pid"] in ask(self.address), self.journal)
        return load.report()

    def test_a_graced_that_is_killed_while_a_build_is_on_probation_refuses_nobody(self):
        self.start("listen = 127.0.0.1:8080", "drain = idle", "probation = 1h")
        report = self.killed_on_probation()
        self.assertEqual((report["failures"]["refused"], report["failures"]["timeout"]), (0, 0), report)

    def test_workers_of_both_builds_outlive_graced_on_probation_and_lose_nothing(self):
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/keep-workers.conf"))
        self.start("listen = 127.0.0.1:8080", "drain = idle", "probation = 1h", "stderr = inherit")
        before = self.processes()
        self.assert_well(self.killed_on_probation())
        self.all_gone(before)

    def test_workers_that_outlive_graced_serve_on_and_are_drained_by_the_next(self):
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/keep-workers.conf"))
        pid = self.start("listen = 127.0.0.1:8080", "stderr = inherit", "workers = 2")
        old = [w["pid"] for w in self.status()["workers"]]
        load = self.load()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active")
        for worker in old:
            wait_until(lambda: not os.path.exists("/proc/%d" % worker), self.journal)
        self.assert_well(load.report())  # not even what was being answered is lost
        self.assertEqual(self.journal().count("has survived the graced before"), 2)

        # One that is deaf gets the hammer.
        write(self.config, read(self.config).replace("/run/build", "/run/build deaf") +
              "drain-timeout = 500ms\nstop-timeout = 500ms\n")
        self.systemctl("reload", self.unit)
        deaf = [w["pid"] for w in self.status()["workers"] if w["state"] == "ready"]
        os.kill(self.main_pid(), signal.SIGKILL)
        for worker in deaf:
            wait_until(lambda: not os.path.exists("/proc/%d" % worker), self.journal)
        self.assertEqual(self.journal().count("is hammered"), 2)
        self.assertIn("build a", ask(self.address))

    def keep_workers(self, command, *lines):
        """Workers outlive graced, and are started by this command."""
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/keep-workers.conf"))
        self.build("a")
        write(self.config, "\n".join(["command = " + command, "listen = 127.0.0.1:8080", "stderr = inherit", *lines]) + "\n")
        self.systemctl("start", self.unit)
        return self.main_pid()

    def kill_graced(self):
        restarts = int(self.show("NRestarts"))
        os.kill(self.main_pid(), signal.SIGKILL)
        wait_until(lambda: int(self.show("NRestarts")) > restarts and self.show("ActiveState") == "active", self.journal)

    def processes(self):
        """Of the unit, but for graced itself."""
        with open("/sys/fs/cgroup" + self.show("ControlGroup") + "/cgroup.procs") as f:
            return {int(line) for line in f} - {self.main_pid()}

    def all_gone(self, pids):
        wait_until(lambda: not pids & self.processes(), lambda: "%s of %s\n%s" % (pids & self.processes(), pids, self.journal()))

    def test_the_server_behind_a_start_script_that_outlived_graced_finishes_and_is_not_left_for_ever(self):
        self.keep_workers("/bin/sh -c '%s /run/build; true'" % SERVER)
        old = self.processes()
        self.assertEqual(len(old), 2)
        load = self.load()
        self.kill_graced()
        self.all_gone(old)
        self.assert_well(load.report())
        self.assertIn("of it finishes", self.journal())

    def test_a_deaf_server_behind_a_start_script_that_outlived_graced_is_killed_at_its_deadline(self):
        self.keep_workers("/bin/sh -c '%s /run/build deaf; true'" % SERVER, "drain-timeout = 500ms", "stop-timeout = 500ms")
        old = self.processes()
        self.kill_graced()
        self.all_gone(old)
        self.assertEqual(self.journal().count("is hammered"), 1)
        self.assertIn("build a", ask(self.address))

    def test_what_a_worker_had_left_behind_when_graced_was_killed_is_followed_by_the_next(self):
        self.keep_workers("/bin/sh -c '%s /run/build deaf; true'" % SERVER, "drain-timeout = 1h", "stop-timeout = 500ms")
        server, = (p for p in self.processes() if "deaf" in read("/proc/%d/cmdline" % p).split("\0") and SERVER in read("/proc/%d/cmdline" % p).split("\0"))
        self.systemctl("reload", self.unit)  # the script of the old one hears it, and leaves its server behind
        wait_until(lambda: "of it finishes" in self.journal(), self.journal)
        write(self.config, read(self.config).replace("1h", "500ms"))
        old = self.processes()
        self.assertIn(server, old)
        self.kill_graced()
        self.all_gone(old)
        self.assertIn("build a", ask(self.address))

    def test_a_unix_socket_survives_a_crash_and_others_options_are_applied_again(self):
        pid = self.start("listen = unix:/run/demo.sock,mode=0600")
        write(self.config, "command = %s /run/build\nlisten = unix:/run/demo.sock,mode=0640\n" % SERVER)
        inode = os.stat("/run/demo.sock").st_ino
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active")
        self.assertIn("build a", ask("/run/demo.sock"))
        now = os.stat("/run/demo.sock")
        self.assertEqual((now.st_ino, now.st_mode & 0o777), (inode, 0o640))

        os.remove("/run/demo.sock")  # its socket can be found by nobody any more
        self.systemctl("restart", self.unit)
        self.assertIn("build a", ask("/run/demo.sock"))
        self.assertEqual(self.show("NFileDescriptorStore"), "1")

    def test_what_the_configuration_no_longer_names_is_let_go(self):
        def lines(*addresses):
            return ["listen = 127.0.0.1:%d" % a for a in addresses]
        self.start(*lines(8080, 8081, 8082))
        self.assertEqual(self.show("NFileDescriptorStore"), "3")
        self.configure(*lines(8080, 8083))
        self.systemctl("reload", self.unit)
        wait_until(lambda: self.show("NFileDescriptorStore") == "2")
        self.configure(*lines(8081, 8083))
        self.systemctl("restart", self.unit)
        wait_until(lambda: self.show("NFileDescriptorStore") == "2")
        for port in (8081, 8083):
            self.assertIn("build a", ask(("127.0.0.1", port)))
        for port in (8080, 8082):
            wait_until(lambda: refuses(("127.0.0.1", port)))
        # Bound otherwise is another socket, though its address is the same.
        write(self.config, "command = %s /run/build\nlisten = 127.0.0.1:8081,free-bind\n" % SERVER)
        self.systemctl("restart", self.unit)
        self.assertIn("build a", ask(("127.0.0.1", 8081)))
        self.assertNotIn("listens on", self.journal().rpartition("supervises")[2])

    def test_a_start_that_fails_keeps_what_was_stored(self):
        self.start("listen = 127.0.0.1:8080", "listen = unix:/run/demo.sock")
        self.build("broken")
        run("systemctl", "restart", self.unit, ok=False)
        self.build("a")
        wait_until(lambda: self.show("ActiveState") == "active", self.journal)
        self.assertIn("listens on unix /run/demo.sock again", self.journal())
        self.assertIn("build a", ask("/run/demo.sock"))


if __name__ == "__main__":
    main()
