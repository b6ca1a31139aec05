"""A service that systemd has had for long, and which graced@demo is to take over."""
import os
from machine import Case, ask, run, wait_until, write

OLD = "old.service"


def show(unit, name):
    return run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()


def said_of(unit):
    return run("journalctl", "--unit", unit, "--output", "cat", "--lines", "50").stdout


class OldService(Case):
    def clean(self):
        super().clean()
        for unit in ("old.socket", OLD):
            run("systemctl", "stop", unit, ok=False)
            run("systemctl", "reset-failed", unit, ok=False)
            if os.path.exists("/etc/systemd/system/" + unit):
                os.unlink("/etc/systemd/system/" + unit)

    def start_old(self, *lines, command):
        """Its main PID, once it answers."""
        write("/etc/systemd/system/" + OLD, "\n".join(["[Service]", "ExecStart=" + command, "Restart=always", "RestartSec=0", *lines]) + "\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "start", OLD)
        wait_until(self.answers, lambda: said_of(OLD))
        return int(show(OLD, "MainPID"))

    def answers(self):
        try:
            return bool(ask(self.address))
        except OSError:
            return False

    def assert_taken(self, pid):
        """For good: systemd has stopped it, and does not start it again."""
        wait_until(lambda: show(OLD, "ActiveState") == "inactive", lambda: self.journal() + said_of(OLD))
        self.assertFalse(os.path.exists("/proc/%d" % pid))
        self.assertEqual((show(OLD, "NRestarts"), show(OLD, "Result"), show(OLD, "MainPID")), ("0", "success", "0"))
        self.assertIn("PID %d (" % pid, self.journal())

    def assert_untouched(self, pid):
        self.assertEqual((show(OLD, "ActiveState"), show(OLD, "NRestarts"), int(show(OLD, "MainPID"))), ("active", "0", pid), self.journal())
        self.assertTrue(self.answers())
