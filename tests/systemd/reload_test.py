"""Start, reload and stop of graced@demo, as an administrator does it."""
import os, re, unittest
from machine import Case, ask, main, refuses, read, run, systemd_version, wait_until

RELOADS = 50


class Reload(Case):
    def test_start_answers_at_once_and_stop_leaves_nothing(self):
        pid = self.start("listen = 127.0.0.1:8080", "listen = unix:/run/demo.sock")
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertIn("build a", ask(self.address))  # start has waited for the first generation
        self.assertEqual(self.show("StatusText"), "generation 1 serves with 1 worker")
        worker = self.status()["workers"][0]["pid"]
        self.assertEqual(os.stat("/run/graced/demo").st_uid, 0)

        self.systemctl("stop", self.unit)
        self.assertEqual(self.show("Result"), "success")
        self.assertIn("stopped as asked", self.journal())
        for process in (pid, worker):
            self.assertFalse(os.path.exists("/proc/%d" % process))
        for path in ("/run/graced/demo", "/run/demo.sock"):
            self.assertFalse(os.path.exists(path), path)
        self.assertEqual(self.show("ControlGroup"), "")
        wait_until(lambda: refuses(self.address))

    def test_a_reload_waits_until_the_new_generation_answers(self):
        pid = self.start()
        load = self.load()
        for i in range(RELOADS):
            self.build("b%d" % i)
            self.systemctl("reload", self.unit)
            self.assertIn("generation %d serves" % (i + 2), self.show("StatusText"))
            if i % 10 == 0:  # an old worker may still take a connection that was on its way
                wait_until(lambda: "build b%d " % i in ask(self.address))
        self.assert_well(load.report())
        self.assertEqual(self.main_pid(), pid)
        self.assertEqual(self.show("NRestarts"), "0")
        self.assertEqual(self.status()["reloads"], RELOADS)

    def test_a_reload_to_a_broken_build_fails_and_nothing_else_does(self):
        pid = self.start()
        load = self.load()
        self.build("broken")
        r = self.systemctl("reload", self.unit, ok=False)
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertEqual((self.show("ActiveState"), self.main_pid()), ("active", pid))
        why = "the reload to generation 2 failed: exited with status 1"
        self.assertRegex(self.show("StatusText"), "generation 1 serves with 1 worker.*; " + why)
        self.assertRegex(self.systemctl("status", self.unit).stdout, 'Status: ".*' + why)
        self.assertIn("this build is broken", run("graced", "status", "demo").stdout)
        self.assertIn("server.py: this build is broken", self.journal())
        self.assert_well(load.report())

        self.build("c")
        self.systemctl("reload", self.unit)
        wait_until(lambda: "build c" in ask(self.address))
        self.assertNotIn("failed", self.show("StatusText"))
        self.assertEqual(self.main_pid(), pid)

    def test_wrong_options_fail_the_start_once_and_say_where(self):
        self.configure("listen = 127.0.0.1:8080", "wrokers = 2")
        r = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(r.returncode, 1)
        self.assertEqual((self.show("ActiveState"), self.show("NRestarts")), ("failed", "0"))
        self.assertIn("/etc/graced/demo.conf:3: unknown option 'wrokers'; did you mean 'workers'?", self.journal())
        self.systemctl("reset-failed", self.unit)

    def test_sockets_of_a_socket_unit_are_passed_on_by_name(self):
        self.configure("workers = 1")
        example = read("/usr/share/doc/graced/examples/systemd/graced@shop.socket")
        with open("/etc/systemd/system/graced@demo.socket", "w") as f:
            f.write(re.sub("shop", "demo", example.replace("ListenStream=80", "ListenStream=127.0.0.1:8080")))
        self.systemctl("daemon-reload")
        self.addCleanup(os.remove, "/etc/systemd/system/graced@demo.socket")
        self.addCleanup(self.systemctl, "stop", "graced@demo.socket")
        self.systemctl("start", "graced@demo.socket")
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertIn("names http", ask(self.address))  # which starts it
        self.wait_for("ActiveState", "active")  # a reload while it starts is no reload to systemd
        self.build("b")
        self.systemctl("reload", self.unit)
        wait_until(lambda: "build b" in ask(self.address))

    def test_the_units_are_what_systemd_wants(self):
        said = run("systemd-analyze", "verify", "graced@demo.service", ok=False)
        self.assertNotIn("graced@", said.stdout + said.stderr)
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/hardened.conf"))
        self.assertNotIn("graced@", run("systemd-analyze", "verify", "graced@demo.service", ok=False).stderr)
        self.start()
        self.systemctl("reload", self.unit)
        self.assertIn("build a", ask(self.address))

    @unittest.skipIf(systemd_version() < 253, "systemd %d does not have Type=notify-reload" % systemd_version())
    def test_notify_reload_waits_too(self):
        self.drop_in(read("/usr/share/doc/graced/examples/systemd/notify-reload.conf"))
        pid = self.start()
        for i in range(5):
            self.build("n%d" % i)
            self.systemctl("reload", self.unit)
            self.assertIn("generation %d serves" % (i + 2), self.show("StatusText"))
        wait_until(lambda: "build n4" in ask(self.address))
        self.build("broken")
        self.systemctl("reload", self.unit)  # systemd has no word for a reload that failed
        self.assertEqual((self.show("ActiveState"), self.main_pid()), ("active", pid))
        self.assertIn("the reload to generation 7 failed", self.show("StatusText"))


if __name__ == "__main__":
    main()
