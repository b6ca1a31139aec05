"""graced@demo of a user who is not root, under a manager of that user's own."""
import os, pwd, shutil, signal
from machine import BINDER, Case, ask, main, refuses, run, systemctl, wait_until, write

USER = pwd.getpwnam("daemon")
RUNTIME = "/run/user/%d" % USER.pw_uid
HOME = "/run/home"


class User(Case):
    config = HOME + "/.config/graced/demo.conf"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for directory in (RUNTIME, HOME):
            os.makedirs(directory, 0o700)
            os.chown(directory, USER.pw_uid, USER.pw_gid)
        # As user@.service has it, without the login that goes with it. By its place the journal knows whose units these are.
        manager = "user@%d.service" % USER.pw_uid
        write("/etc/systemd/system/" + manager, "\n".join((
            "[Service]", "Type=notify", "User=%d" % USER.pw_uid, "Slice=user-%d.slice" % USER.pw_uid, "Delegate=yes",
            "Environment=XDG_RUNTIME_DIR=%s HOME=%s" % (RUNTIME, HOME), "ExecStart=/usr/lib/systemd/systemd --user", "")))
        systemctl("daemon-reload")
        systemctl("start", manager)

    def as_user(self, *command, ok=True):
        return run("setpriv", "--reuid=%d" % USER.pw_uid, "--regid=%d" % USER.pw_gid, "--clear-groups", "env", "HOME=" + HOME,
                   "XDG_RUNTIME_DIR=" + RUNTIME, *command, ok=ok)

    def systemctl(self, *arguments, ok=True):
        return self.as_user("systemctl", "--user", *arguments, ok=ok)

    def clean(self):
        self.systemctl("stop", self.unit, ok=False)
        shutil.rmtree(RUNTIME + "/graced", ignore_errors=True)

    def journal(self, output="cat"):
        run("journalctl", "--sync")
        return run("journalctl", "--output", output, "--lines", "80").stdout

    def test_start_reload_crash_restart_and_stop(self):
        pid = self.start("listen = 127.0.0.1:8080", "listen = unix:%s/demo.sock" % RUNTIME)
        self.assertEqual(os.stat("/proc/%d" % pid).st_uid, USER.pw_uid)
        self.assertIn("serving generation 1", self.as_user("graced", "status", "demo").stdout)
        self.assertEqual(self.as_user("graced", "logs", "demo").stdout,
                         "demo: its lines are in the journal: journalctl --user -u graced@demo.service\n")

        self.build("b")
        self.systemctl("reload", self.unit)
        wait_until(lambda: "build b" in ask(self.address))
        self.build("broken")
        self.assertEqual(self.systemctl("reload", self.unit, ok=False).returncode, 1)
        self.assertIn("the reload to generation 3 failed", self.show("StatusText"))
        self.assertEqual(self.main_pid(), pid)
        self.build("c")

        load = self.load("unix:%s/demo.sock" % RUNTIME)
        self.systemctl("restart", self.unit)
        self.assert_well(load.report())
        load = self.load()
        os.kill(self.main_pid(), signal.SIGKILL)
        load.next_pid()
        self.assertEqual(load.report()["failures"]["refused"], 0)
        wait_until(lambda: self.show("ActiveState") == "active")

        self.systemctl("stop", self.unit)
        self.assertEqual(self.show("Result"), "success")
        self.assertFalse(os.path.exists(RUNTIME + "/demo.sock"))
        wait_until(lambda: refuses(self.address))

    def test_a_unit_of_the_user_is_taken_over(self):
        """With nothing but the rights of that user."""
        def old(name):
            return self.systemctl("show", "--property", name, "--value", "old.service").stdout.strip()

        def answers():
            try:
                return bool(ask(self.address))
            except OSError:
                return False

        command = BINDER + " tcp:8080"
        write(HOME + "/.config/systemd/user/old.service", "[Service]\nExecStart=%s\nRestart=always\n" % command)
        self.addCleanup(self.systemctl, "stop", "old.service", ok=False)
        self.systemctl("daemon-reload")
        self.systemctl("start", "old.service")
        wait_until(answers)
        pid = int(old("MainPID"))
        write(self.config, "take = old\ncommand = %s\n" % command)
        said = self.as_user("graced", "check", "--config", self.config).stdout
        self.assertRegex(said, r"it is +PID %d \(.*\) of old\.service, user %d\n" % (pid, USER.pw_uid))
        self.assertIn("is ended by systemctl --user stop old.service", said)

        load = self.load()
        self.systemctl("start", self.unit)
        wait_until(lambda: old("ActiveState") == "inactive", self.journal)
        self.assertEqual((old("NRestarts"), old("Result")), ("0", "success"))
        self.assertFalse(os.path.exists("/proc/%d" % pid))
        self.systemctl("reload", self.unit)
        load.next_pid()
        self.assert_well(load.report())


if __name__ == "__main__":
    main()
