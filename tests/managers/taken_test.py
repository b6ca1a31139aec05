"""A server that another manager runs is taken over under load, as graced-takeover(7) has it: that manager ends it, and does not
start it again."""
import os, re, socket, subprocess, sys
from managed import GRACED, Managed, alive, ask, main, needs, wait_until
from load import Load, assert_nothing_lost

BINDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "binder.py")


class Taken(Managed):
    def setUp(self):
        super().setUp()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.server = "%s -B %s tcp:%d" % (sys.executable, BINDER, self.port)

    def answers(self):
        try:
            return bool(ask(("127.0.0.1", self.port)))
        except OSError:
            return False

    def taken_from(self, by, stop, pid):
        """by: what the manager's process is called. stop: the words of --take-stop. pid: of the server, None once it is stopped."""
        wait_until(self.answers, self.said)
        old = pid()
        target = "tcp:%d" % self.port
        said = self.run_in("graced", "check", "--take", target, "--", *self.server.split()).stdout
        self.assertRegex(said, r"it is +PID %d \(" % old)
        self.assertRegex(said, r"PID \d+ \(%s\) would start it again after a signal" % by)
        load = Load("127.0.0.1:%d" % self.port)
        self.addCleanup(load.close)
        with open(self.path("graced.log"), "wb") as log:
            graced = subprocess.Popen([GRACED, "run", "--name", "shop", "--drain-idle", "2s", "--drain-timeout", "10min", "--take", target,
                                       "--take-stop", stop, "--", *self.server.split()], env=self.env, cwd=self.directory, stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log)
        try:
            wait_until(lambda: not alive(old), lambda: self.said() + self.said_in("graced.log"))
            wait_until(lambda: pid() is None, self.said)
            self.run_in("graced", "reload")
            load.next_pid()
            assert_nothing_lost(self, load.report())
        finally:
            graced.terminate()
            self.assertEqual(graced.wait(), 0, self.said_in("graced.log"))
        self.assertFalse(self.answers())
        self.assertIsNone(pid())

    @needs("supervisord", "supervisorctl")
    def test_from_supervisord(self):
        here = self.directory
        conf = self.path("supervisord.conf")
        self.write("supervisord.conf", "\n".join((
            "[supervisord]", "nodaemon = true", "logfile = %s/supervisord.log" % here, "pidfile = %s/supervisord.pid" % here,
            "childlogdir = " + here, "[unix_http_server]", "file = %s/supervisord.sock" % here, "[supervisorctl]",
            "serverurl = unix://%s/supervisord.sock" % here, "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface", "[program:shop]",
            "command = " + self.server, "autorestart = true", "startsecs = 0", "stopwaitsecs = 600", "")))
        self.manager("supervisord", "-c", conf)

        def pid():
            said = self.run_in("supervisorctl", "-c", conf, "pid", "shop", ok=False).stdout.strip()
            return int(said) if said.isdigit() and said != "0" else None

        self.taken_from("supervisord", "supervisorctl -c %s stop shop" % conf, pid)

    @needs("runsv", "sv")
    def test_from_runit(self):
        os.mkdir(self.path("old"))
        self.write("old/run", "#!/bin/sh\nexec %s\n" % self.server, 0o755)
        self.manager("runsv", self.path("old"))

        def pid():
            found = re.search(r"^run: .*\(pid (\d+)\)", self.run_in("sv", "status", self.path("old"), ok=False).stdout)
            return found and int(found.group(1))

        self.taken_from("runsv", "sv down " + self.path("old"), pid)

    @needs("s6-supervise", "s6-svc", "s6-svstat")
    def test_from_s6(self):
        os.mkdir(self.path("old"))
        self.write("old/run", "#!/bin/sh\nexec %s\n" % self.server, 0o755)
        self.manager("s6-supervise", self.path("old"))

        def pid():
            said = self.run_in("s6-svstat", "-o", "pid", self.path("old")).stdout.strip()
            return int(said) if said != "-1" else None

        self.taken_from("s6-supervise", "s6-svc -d " + self.path("old"), pid)


if __name__ == "__main__":
    main()
