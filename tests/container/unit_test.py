"""The unit of packaging/podman under a real systemd, in the sandbox of tests/systemd: podman runs the shop's image, graced says
when it serves, and systemctl reloads and stops it. unit_test.py IMAGES: what images.py has saved."""
import os, sys, unittest

import engine
from engine import ROOT, SERVER, Request, ask

sys.path.insert(0, os.path.join(ROOT, "tests", "systemd"))
from load import reload_under_load
from machine import Case, json, read, systemctl, wait_until, write

UNIT = os.path.join(ROOT, "packaging", "podman", "shop.service")


class Unit(Case):
    unit = "shop.service"
    config = "/etc/shop/graced.conf"
    where = "127.0.0.1:%d" % engine.PORT

    @classmethod
    def setUpClass(cls):
        cls.podman = engine.ENGINE.podman

    def install(self, **changed):
        text = read(UNIT)
        for old, new in changed.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        write("/etc/systemd/system/" + self.unit, text)
        self.systemctl("daemon-reload")

    def configure(self, *lines):
        write(self.config, "\n".join([*lines, "listen = %d,name=http" % engine.PORT]) + "\n")

    def start(self, *lines, **changed):
        self.install(**changed)
        self.configure("command = " + SERVER, *lines)
        r = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(r.returncode, 0, r.stderr + self.journal())
        self.assertEqual(self.status()["phase"], "serving")  # start has waited for that
        return self.main_pid()

    def status(self):
        return json.loads(self.podman("exec", "shop", "graced", "status", "shop", "--json").stdout)

    def serves(self, generation):
        self.assertEqual(self.status()["serving"], generation)  # reload has waited for that

    def test_a_reload_waits_and_loses_nothing(self):
        pid = self.start()
        reload_under_load(self, self.where, lambda: self.systemctl("reload", self.unit), self.serves, range(2, 10))
        self.assertEqual((self.main_pid(), self.show("NRestarts")), (pid, "0"))

    def test_another_graced_takes_over_in_the_container_and_systemd_notices_nothing(self):
        pid = self.start()
        load = self.load()
        before = self.status()
        self.podman("cp", os.environ["GRACED_NEXT"], "shop:/tmp/graced.new")
        self.podman("exec", "shop", "graced", "upgrade", "--binary", "/tmp/graced.new")
        after = self.status()
        self.assertNotEqual(after["version"], before["version"])
        self.assertEqual(after["pid"], before["pid"])
        self.systemctl("reload", self.unit)
        self.serves(2)
        load.next_pid()
        self.assert_well(load.report())
        self.assertEqual((self.main_pid(), self.show("NRestarts"), self.show("ActiveState")), (pid, "0", "active"))
        self.systemctl("stop", self.unit)
        self.assertEqual(self.show("Result"), "success")

    def test_a_reload_that_fails_is_told_and_changes_nothing(self):
        pid = self.start()
        load = self.load()
        self.configure("command = /bin/false")
        self.assertEqual(self.systemctl("reload", self.unit, ok=False).returncode, 1)
        self.assertIn("reload of 'shop' failed: exited with status 1", self.journal())
        self.assertEqual((self.show("ActiveState"), self.main_pid()), ("active", pid))
        self.configure("command = " + SERVER)
        self.systemctl("reload", self.unit)
        self.serves(3)
        self.assert_well(load.report())

    def test_a_stop_answers_what_is_under_way_and_leaves_no_container(self):
        self.start()
        request = Request(1500)
        self.systemctl("stop", self.unit)
        self.assertIn("200 OK", request.answer())
        self.assertEqual((self.show("ActiveState"), self.show("Result")), ("inactive", "success"))
        self.assertIn("stopped as asked", self.journal())
        self.assertEqual(self.podman("ps", "--all", "--quiet").stdout, "")

    def test_a_stop_ends_in_time_though_a_request_does_not(self):
        """podman would kill it after 45 s, and systemd after 60."""
        self.start(**{"GRACED_STOP_TIMEOUT=30s": "GRACED_STOP_TIMEOUT=2s"})
        self.addCleanup(Request(600_000).socket.close)
        self.systemctl("stop", self.unit)
        self.assertIn("stopped as asked", self.journal())
        self.assertEqual(self.show("Result"), "success")

    def test_killed_it_is_started_again(self):
        pid = self.start()
        self.podman("kill", "--signal", "KILL", "shop")
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active", self.journal)
        self.assertNotEqual(self.main_pid(), pid)
        self.assertIn("generation 1", ask(self.address))

    def test_wrong_options_fail_the_start_once_and_say_where(self):
        self.install()
        self.configure("comand = " + SERVER)
        self.assertEqual(self.systemctl("start", self.unit, ok=False).returncode, 1)
        self.assertEqual((self.show("ActiveState"), self.show("NRestarts")), ("failed", "0"))
        self.assertIn("/etc/shop/graced.conf:1: unknown option 'comand'; did you mean 'command'?", self.journal())


def main(images):
    try:
        engine.ENGINE = engine.Engine(log="journald")
        engine.ENGINE.load(images)
    except engine.CannotRun as why:
        print("skipped: %s" % why, file=sys.stderr)
        return 77
    systemctl("set-environment", *("%s=%s" % variable for variable in engine.ENGINE.own.items()))
    tests = unittest.TestLoader().loadTestsFromTestCase(Unit)
    return 0 if unittest.TextTestRunner(verbosity=2).run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
