"""A service of systemd that knows nothing of graced is taken over by graced@demo."""
import os, shutil, signal, socket, unittest
from machine import BINDER, PATIENCE, main, read, run, wait_until, write
from load import LoadProcess
from old_service import OLD, OldService, said_of, show

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")


class Taken(OldService):
    def start_old(self, *lines, command="%s tcp:8080" % BINDER):
        return super().start_old(*lines, command=command)

    def configure(self, *lines, command="%s tcp:8080" % BINDER):
        write(self.config, "\n".join(["take = old", "command = " + command, "ready-timeout = %ds" % PATIENCE, *lines]) + "\n")

    def test_a_unit_that_is_always_restarted_is_taken_over_under_load(self):
        old = self.start_old()
        load = self.load()
        self.start()
        self.assert_taken(old)
        for _ in range(3):
            self.systemctl("reload", self.unit)
            load.next_pid()
        self.assert_well(load.report())
        self.assertEqual(show(OLD, "ActiveState"), "inactive")

    def test_a_unit_of_another_user(self):
        old = self.start_old("User=nobody", "AmbientCapabilities=CAP_NET_BIND_SERVICE")
        load = self.load()
        self.start("user = nobody")
        self.assert_taken(old)
        self.systemctl("reload", self.unit)
        load.next_pid()
        self.assert_well(load.report())

    def test_one_that_dies_before_it_is_told_to_leave_is_not_started_again(self):
        old = self.start_old()
        with socket.create_connection(self.address) as busy:
            busy.sendall(b"GET / HTTP/1.1\r\n")  # the rest never comes
            wait_until(lambda: self.has_accepted(busy))
            load = self.load()
            self.start()
            self.assertEqual(show(OLD, "ActiveState"), "active")
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: "systemd is asked to stop old.service" in self.journal(), self.journal)
            wait_until(lambda: show(OLD, "ActiveState") in ("inactive", "failed") and not run("systemctl", "list-jobs", OLD, "--no-legend").stdout,
                       lambda: self.journal() + said_of(OLD))
        self.systemctl("reload", self.unit)
        load.next_pid()
        self.assert_well(load.report())

    def has_accepted(self, client):
        """It is in no queue any more."""
        return [line for line in run("ss", "-Htnp", "state", "established", "dport", "= :%d" % client.getsockname()[1]).stdout.splitlines()
                if "users:" in line]

    def test_the_line_may_stay(self):
        old = self.start_old()
        self.start()
        self.assert_taken(old)
        load = self.load()
        self.systemctl("restart", self.unit)
        self.systemctl("reload", self.unit)
        load.next_pid()
        self.assert_well(load.report())

    def test_a_start_that_fails_leaves_the_unit_as_it_was(self):
        old = self.start_old()
        load = self.load()
        self.drop_in("[Service]\nRestart=no\n")
        self.configure(command="%s tcp:8080 exit" % BINDER)
        self.assertNotEqual(self.systemctl("start", self.unit, ok=False).returncode, 0)
        self.assert_untouched(old)
        self.systemctl("reset-failed", self.unit)
        self.start()
        self.assert_taken(old)
        self.assert_well(load.report())

    def test_check_names_the_unit_and_how_it_would_be_ended(self):
        old = self.start_old()
        self.configure()
        for target in ("old", "old.service", "tcp:8080", str(old)):
            said = run("graced", "check", "--take", target, "--config", self.config).stdout
            self.assertRegex(said, r"it is +PID %d \(.*\) of old\.service, user 0" % old)
            self.assertIn("is ended by systemctl stop old.service", said)
        self.assertEqual((int(show(OLD, "MainPID")), show(OLD, "NRestarts")), (old, "0"))

    def test_a_unit_that_a_socket_unit_would_start_again_is_refused(self):
        write("/etc/systemd/system/old.socket", "[Socket]\nListenStream=127.0.0.1:8081\n")
        self.start_old()
        run("systemctl", "daemon-reload")
        run("systemctl", "stop", OLD)
        run("systemctl", "start", "old.socket")
        run("systemctl", "start", OLD)
        wait_until(self.answers)
        self.configure()
        r = run("graced", "check", "--config", self.config, ok=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("old.socket listens for old.service and would start it again: systemctl stop old.socket first", r.stderr)
        run("systemctl", "stop", "old.socket")
        self.assertEqual(show(OLD, "ActiveState"), "active")
        run("graced", "check", "--config", self.config)

    def test_a_process_that_is_not_the_main_one_of_its_unit_is_not_its_unit(self):
        """To stop a unit is to stop all of it."""
        self.start_old(command="/bin/sh -c '%s tcp:8080 & wait'" % BINDER)
        pid = next(int(p) for p in read("/sys/fs/cgroup/system.slice/old.service/cgroup.procs").split()
                   if int(p) != int(show(OLD, "MainPID")))
        self.configure()
        said = run("graced", "check", "--take", str(pid), "--config", self.config).stdout
        self.assertIn("is ended by SIGTERM", said)
        self.assertRegex(said, r"is part of old\.service, whose main process is PID %s \(sh\)" % show(OLD, "MainPID"))

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_nginx_with_workers_of_another_user(self):
        write("/run/nginx.conf", "user www-data;\nworker_processes 2;\npid /run/nginx-test.pid;\nerror_log stderr;\nevents {}\n"
              "http { access_log off; server { listen 127.0.0.1:8080; location / { return 200 \"pid $pid\\n\"; } } }\n")
        command = "%s -c /run/nginx.conf -g 'daemon off;'" % NGINX
        old = self.start_old(command=command)
        load = self.load()
        back_to_back = LoadProcess(os.environ["GRACED_LOAD"], "--clients", "8", self.where)
        self.addCleanup(back_to_back.close)
        back_to_back.began()
        self.configure(command=command)
        r = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(r.returncode, 0, self.journal())
        self.assert_taken(old)
        for _ in range(3):
            self.systemctl("reload", self.unit)
        self.assert_well(load.report())
        self.assert_well(back_to_back.report())


if __name__ == "__main__":
    main()
