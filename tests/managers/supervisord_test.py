"""graced under supervisord, as packaging/examples/supervisord has it."""
import os, re, subprocess
from managed import GRACED, PATIENCE, Managed, ask, main, needs, wait_until


@needs("supervisord", "supervisorctl")
class Supervisord(Managed):
    def start(self, **changed):
        self.write("supervisord.conf", """
[supervisord]
nodaemon = true
logfile = %(here)s/supervisord.log
pidfile = %(here)s/supervisord.pid
childlogdir = %(here)s
[unix_http_server]
file = %(here)s/supervisord.sock
[supervisorctl]
serverurl = unix://%(here)s/supervisord.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
""" % {"here": self.directory} + self.example("supervisord/shop.conf", **{"/var/log/supervisor/shop.log": self.path("shop.log")}, **changed))
        self.manager("supervisord", "-c", self.path("supervisord.conf"))

    def ctl(self, *words):
        return self.run_in(*self.ctl_command(*words)).stdout

    def ctl_command(self, *words):
        return ["supervisorctl", "-c", self.path("supervisord.conf"), *words]

    def said(self):
        return self.said_in("supervisord.log") + self.said_in("shop.log")

    def test_it_reloads_by_signal_hup_and_the_pid_stays(self):
        self.start()
        self.reload_loop(lambda: self.ctl("signal", "HUP", "shop"), lambda: int(self.ctl("pid", "shop")))
        self.assertIn("RUNNING", self.ctl("status", "shop"))

    def test_it_is_upgraded_in_place_and_supervisord_notices_nothing(self):
        self.start()
        wait_until(lambda: "RUNNING" in self.run_in(*self.ctl_command("status", "shop"), ok=False).stdout, self.said)
        self.upgrade_loop(lambda: self.ctl("signal", "HUP", "shop"), lambda: int(self.ctl("pid", "shop")),
                          lambda: re.findall("spawned|exited|stopped|success", self.said_in("supervisord.log")))
        self.assertIn("RUNNING", self.ctl("status", "shop"))
        self.ctl("stop", "shop")
        self.assertIn("STOPPED", self.run_in(*self.ctl_command("status", "shop"), ok=False).stdout)

    def test_a_new_program_that_is_none_is_no_reason_to_restart_it(self):
        self.start()
        pid = self.serving(1)
        self.write("bin/broken", "#!/bin/sh\nexit 0\n", 0o755)
        os.rename(self.path("bin/broken"), self.path("bin/graced"))
        r = subprocess.run([GRACED, "upgrade"], env=self.env, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("is a script", r.stderr)
        self.assertEqual(int(self.ctl("pid", "shop")), pid)
        self.assertIn("generation 1", ask(self.address))
        self.install(GRACED)  # for what is asked of it at the end

    def test_a_reload_that_fails_is_no_reason_to_restart_it(self):
        self.start()
        pid = self.serving(1)
        self.serve("exit=3")
        self.assertEqual(self.run_in("graced", "reload", ok=False).returncode, 1)
        self.ctl("signal", "HUP", "shop")
        wait_until(lambda: self.status()["failed_reloads"] == 2)
        self.assertEqual(int(self.ctl("pid", "shop")), pid)
        self.assertIn("generation 1", ask(self.address))

    def test_a_stop_lets_workers_finish(self):
        self.env["LEAVE_FILE"] = self.path("leave")
        self.serve("ready", "serve-late")
        self.start()
        self.stop_finishes_what_is_under_way(self.ctl_command("stop", "shop"), self.serving(1))
        self.assertIn("STOPPED", self.run_in(*self.ctl_command("status", "shop"), ok=False).stdout)

    def test_wrong_options_are_not_tried_for_ever(self):
        self.write("shop.conf", "comand = x\n")
        self.start(**{"startsecs = 1\n": "startsecs = 60\n"})  # a crowded machine takes more than a second to say no
        # Three tries of the start, as supervisord makes them.
        wait_until(lambda: "FATAL" in self.run_in(*self.ctl_command("status", "shop"), ok=False).stdout, self.said)
        self.assertIn("shop.conf:1: unknown option 'comand'; did you mean 'command'?", self.said())

    def test_a_crash_is_mended(self):
        self.start()
        again = self.crash()
        self.assertEqual(int(self.ctl("pid", "shop")), again)


if __name__ == "__main__":
    main()
