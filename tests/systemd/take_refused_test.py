"""graced of an ordinary user takes over a service of the system, which polkit lets it stop, or does not."""
import os, re, shutil, unittest
from machine import BINDER, PATIENCE, main, run, wait_until, write
from manual_pages import the_display  # found by machine
from old_service import OLD, OldService, show

USER = "daemon"
RULE = "/etc/polkit-1/rules.d/50-old.rules"
ALLOWED = the_display("graced-takeover.7", "polkit.addRule").replace('"shop.service"', '"old.service"').replace('"shop"', '"%s"' % USER)
POLKIT = next((p for p in ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd") if os.path.exists(p)), None)


@unittest.skipUnless(POLKIT and shutil.which("dbus-daemon"), "polkit or dbus is not installed")
class TakeRefused(OldService):
    def setUp(self):
        super().setUp()
        run("systemctl", "start", "dbus.socket")
        self.command = "%s tcp:8080" % BINDER
        self.old = self.start_old("User=" + USER, command=self.command)
        self.drop_in("[Service]\nUser=%s\n" % USER)

    def clean(self):
        super().clean()
        if os.path.exists(RULE):
            os.unlink(RULE)
        run("systemctl", "stop", "polkit.service", ok=False)

    def configure(self, *lines):
        write(self.config, "\n".join(["take = old", "command = " + self.command, "drain-idle = 200ms", "ready-timeout = %ds" % PATIENCE, *lines]) + "\n")

    def checked(self):
        return run("setpriv", "--reuid=" + USER, "--regid=" + USER, "--clear-groups",
                   "graced", "check", "--config", self.config, "--control", "/tmp/control").stdout

    def serves_alone(self, load, old_goes_on):
        self.assertEqual(len(self.status()["workers"]), 1 + old_goes_on, self.status())
        for _ in range(2):
            self.systemctl("reload", self.unit)
            load.next_pid()
        self.assert_well(load.report())

    def test_a_unit_that_it_may_not_stop_goes_on_without_clients_until_somebody_stops_it(self):
        self.configure()
        said = self.checked()
        self.assertIn("old.service is of the system, and polkit says whether user 1 may stop it", said)
        load = self.load()
        self.start()
        refused = r"PID %d \(.*\) of old\.service goes on without clients: stop old\.service: .+ \(as root: systemctl stop old\.service\)" % self.old
        wait_until(lambda: re.search(refused, self.journal()), self.journal)
        self.assert_untouched(self.old)
        self.serves_alone(load, True)
        self.assertEqual((show(OLD, "ActiveState"), int(show(OLD, "MainPID"))), ("active", self.old))
        run("systemctl", "stop", OLD)
        wait_until(lambda: re.search(r"PID %d \(.*\) of old\.service has ended" % self.old, self.journal()), self.journal)
        self.assertEqual([w["generation"] for w in self.status()["workers"]], [3])

    def test_a_rule_of_polkit_lets_it(self):
        write(RULE, ALLOWED)
        self.configure()
        load = self.load()
        self.start()
        self.assert_taken(self.old)
        self.serves_alone(load, False)

    def test_a_command_that_may_stop_it_is_asked_first(self):
        """Here a word to somebody who is root."""
        write("/etc/systemd/system/stopper.path", "[Path]\nPathExists=/run/stopper/stop\n")
        write("/etc/systemd/system/stopper.service",
              "[Service]\nType=oneshot\nExecStart=systemctl stop old.service\nExecStart=rm /run/stopper/stop\n")
        os.makedirs("/run/stopper", exist_ok=True)
        shutil.chown("/run/stopper", USER)
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "stopper.path")
        self.addCleanup(run, "systemctl", "stop", "stopper.path")
        stop = "take-stop = touch /run/stopper/stop"
        self.configure(stop)
        said = self.checked()
        self.assertIn("is ended by touch /run/stopper/stop\n", said)
        self.assertNotIn("polkit", said)
        load = self.load()
        self.start(stop)
        self.assert_taken(self.old)
        self.serves_alone(load, False)


if __name__ == "__main__":
    main()
