"""Bad input: one clear line that names the thing and the way out, exit status 2 for usage, nothing changed."""
import os, re, resource, signal, socket, subprocess, unittest
from alone import ALONE, AloneCase, can_be_alone
from harness import Case, GRACED, HERE, PATIENCE, WORKER, alive, main, wait_until


class Usage(Case):
    def refused(self, words, *options, **more):
        self.assert_refused(words, "run", "--control", self.path("c"), *options, **more)

    def test_an_unknown_option_with_the_nearest_one(self):
        self.refused(("--drain-timout", "--drain-timeout"), "--drain-timout", "5s", "--", WORKER)

    def test_an_unknown_command_with_the_nearest_one(self):
        self.assert_refused(("relaod", "reload"), "relaod")

    def test_no_command(self):
        self.refused(("no command", "graced run"), "-l", "8080")

    def test_malformed_addresses(self):
        for address, word in (("80800", "80800"), ("host:", "host:"), ("unix:", "unix:"), ("[::1:80", "[::1:80"),
                              ("8080,bcklog=5", "backlog"), ("8080,mode=0644", "mode"), ("fd:x", "fd:x"),
                              ("unix:/" + "x" * 200, "107")):
            with self.subTest(address):
                self.refused(word, "-l", address, "--", WORKER)

    def test_malformed_values(self):
        for option, value in (("--drain-timeout", "soon"), ("--drain-timeout", "-5s"), ("--workers", "many"),
                              ("--workers", "0"), ("--drain-signal", "SIGFOO"), ("--start-limit", "5"),
                              ("--restart", "sometimes"), ("--umask", "999"), ("--rlimit", "nofile=lots"),
                              ("--rlimit", "files=5"), ("--env", "NOVALUE"), ("--ready", "soon"), ("--max-draining", "-1"),
                              ("--log-level", "loud"), ("--stderr", "eat")):
            with self.subTest("%s %s" % (option, value)):
                self.refused((option, value), option, value, "--", WORKER)

    def test_a_name_with_a_slash(self):
        self.refused("a/b", "--name", "a/b", "--", WORKER)

    def test_config_file_missing_unreadable_or_with_an_unknown_key(self):
        self.refused(("nowhere.conf", "No such file"), "--config", self.path("nowhere.conf"), "--", WORKER)
        self.refused(("conf.d", "directory"), "--config", self.write_directory("conf.d"), "--", WORKER)
        conf = self.write("a.conf", "# fine\nworkers = 1\nwrokers = 2\n")
        self.refused(("a.conf:3", "wrokers", "workers"), "--config", conf, "--", WORKER)

    def write_directory(self, name):
        os.mkdir(self.path(name))
        return self.path(name)

    def test_a_malformed_env_file(self):
        env = self.write("env", "A=1\nnot an assignment\n")
        self.refused("env:2", "--env-file", env, "--", WORKER)
        self.refused(("gone", "No such file"), "--env-file", self.path("gone"), "--", WORKER)

    def test_environment_options_are_named(self):
        self.refused("GRACED_WORKERS", "--", WORKER, env={"GRACED_WORKERS": "lots"})

    def test_clients_without_an_instance(self):
        for command in ("reload", "abort", "stop", "status", "hammer"):
            self.assert_refused("no-such-thing", command, "no-such-thing", code=3)
        self.assert_refused(self.path("none"), "reload", "--control", self.path("none"), code=3)

    def test_clients_with_bad_options(self):
        self.assert_refused("--wiat", "reload", "--wiat", "5s")
        self.assert_refused("soon", "reload", "--wait", "soon")


class Start(Case):
    """Well said, but it cannot be had: exit status 1, one line, nothing left."""

    def refused(self, words, *options, **more):
        """One line, and nothing of its own left behind."""
        self.assert_one_error(words, "run", "--name", "n", "--control", self.path("c"), *options, **more)
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("c")], [])

    def assert_one_error(self, words, *arguments, code=1, **more):
        r = self.run_graced(*arguments, **more)
        self.assertEqual(r.returncode, code, r.stderr)
        errors = [l for l in r.stderr.splitlines() if " info " not in l]
        self.assertEqual(len(errors), 1, r.stderr)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, errors[0])

    def test_a_port_in_use_and_who_has_it(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.refused(("in use by", "PID %d" % os.getpid()), "-l", "127.0.0.1:%d" % s.getsockname()[1], "--", WORKER, "serve")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody who may not")
    def test_no_permission_for_a_port(self):
        os.chown(self.directory, 65534, 65534)
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
            if int(f.read()) <= 1:
                self.skipTest("every port is free for all here")
        self.refused(("Permission denied", "CAP_NET_BIND_SERVICE"), "-l", "127.0.0.1:1", "--", WORKER, "serve", user=65534, group=65534)

    def test_a_command_that_is_not_there_or_not_executable(self):
        self.refused(("exec ./nowhere", "No such file or directory"), "--", "./nowhere")
        self.refused(("exec graced-no-such-command", "not found in PATH"), "--", "graced-no-such-command")
        self.write("plain", "text\n")
        self.refused(("exec ./plain", "Permission denied", "chmod +x"), "--", "./plain")

    def test_users_that_do_not_exist(self):
        self.refused(("no-such-user", "does not exist"), "--user", "no-such-user", "--", WORKER)

    def test_a_directory_that_is_not_there(self):
        self.refused(("chdir", "/no/such/place"), "--chdir", "/no/such/place", "--", WORKER)

    def test_a_control_path_that_is_too_long(self):
        self.assert_refused(("--control", "107"), "run", "--name", "n", "--control", self.path("x" * 120), "--", WORKER, "serve")

    def test_two_instances_of_one_name(self):
        g = self.serving()
        self.assert_one_error(("'t' is running", "PID %d" % g.pid, "--name"), "run", "--name", "t", "--control", g.control,
                              "--", WORKER, "serve")
        self.assertIn("generation 1 ", g.ask())

    def test_a_control_socket_left_by_a_crash_is_replaced(self):
        g = self.serving("-l", "unix:" + self.path("w"), options=())
        pid = g.workers()[0]["pid"]
        g.process.kill()
        g.process.wait()
        os.killpg(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid))  # until then the address is in use
        self.assertTrue(os.path.exists(g.control))
        again = subprocess.Popen(g.command, env=dict(os.environ, NOTIFY_SOCKET=g.manager.path), cwd=self.directory,
                                 stderr=subprocess.DEVNULL)
        g.manager.pending()
        g.wait("READY=1")
        again.terminate()
        self.assertEqual(again.wait(PATIENCE), 0)
        self.assert_nothing_left(g)

    def test_too_few_descriptors_for_the_sockets(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        listen = []
        for i in range(60):
            listen += ["-l", "unix:" + self.path("s%d" % i)]
        self.refused(("40", "LimitNOFILE"), *listen, "--", WORKER, "serve", preexec_fn=few)
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s")], [])

    def test_sockets_announced_but_absent(self):
        launcher = self.write("launch", '#!/bin/sh\nLISTEN_PID=$$ LISTEN_FDS=2 exec "%s" run --name n --control "%s" -- true 3>&- 4>&-\n'
                              % (GRACED, self.path("c")), 0o755)
        r = subprocess.run([launcher], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(r.returncode, 1)
        self.assertIn("LISTEN_FDS=2", r.stderr)
        self.assertEqual(len(r.stderr.splitlines()), 1, r.stderr)

    def test_an_unknown_socket_name_in_the_command(self):
        self.refused(("{fd:htpt}", "http"), "-l", "unix:%s,name=http" % self.path("h"), "--", WORKER, "{fd:htpt}", code=2)

    def test_a_pid_file_that_cannot_be_written(self):
        self.refused(("/no/such/place/pid",), "--pid-file", "/no/such/place/pid", "--", WORKER, "serve")


class Help(Case):
    def test_help_and_version(self):
        for arguments in (("--help",), ("help",), ("run", "--help"), ("reload", "--help"), ("status", "-h"), ("--version",)):
            with self.subTest(arguments):
                r = self.run_graced(*arguments)
                self.assertEqual((r.returncode, r.stderr), (0, ""))
                self.assertTrue(all(len(line) <= 100 for line in r.stdout.splitlines()))

    def test_the_version_names_version_and_features(self):
        with open(os.path.join(HERE, "..", "..", "CMakeLists.txt")) as f:
            version = re.search(r"project\(graced VERSION (\S+)", f.read()).group(1)
        lines = self.run_graced("--version").stdout.splitlines()
        self.assertEqual(lines[0], "graced " + version)
        for feature in ("adoption", "BPF", "seccomp"):
            self.assertRegex(lines[1], r"^features: .*\b%s\b" % feature)
        self.assertRegex(lines[2], r"^libraries: Boost.Program_options \d+[\d.]*, libseccomp \d+[\d.]*, libcap \d+[\d.]*, libsystemd \d+, fmt \d+[\d.]*$")

    def test_check_tells_values_and_where_they_come_from_and_opens_nothing(self):
        conf = self.write("a.conf", "listen = unix:%s\ndrain-timeout = 5s\n" % self.path("x"))
        r = self.run_graced("check", "--config", conf, "--control", self.path("c"), "-w", "3", "--", WORKER,
                            env={"GRACED_STOP_TIMEOUT": "7s"})
        self.assertEqual(r.returncode, 0, r.stderr)
        for words in (("drain-timeout", "5s", "a.conf:2"), ("workers", "3", "command line"), ("stop-timeout", "7s", "GRACED_STOP_TIMEOUT")):
            self.assertTrue(any(all(w in line for w in words) for line in r.stdout.splitlines()), r.stdout)
        self.assertEqual(sorted(os.listdir(self.directory)), ["a.conf"])


class Finding(AloneCase):
    """With one instance running the name may be left out, with several they are listed."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("run"))

    @unittest.skipUnless(os.geteuid() == 0 and can_be_alone(), "needs root to be somebody else, and a mount namespace")
    def test_one_two_and_none(self):
        os.chmod(self.directory, 0o755)
        os.chown(self.path("run"), 65534, 65534)
        env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET",)}
        env.update(self.env)
        as_nobody = [*ALONE, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", GRACED]

        def call(*arguments):
            return subprocess.run([*as_nobody, *arguments], capture_output=True, text=True, timeout=PATIENCE, env=env, cwd="/")

        def start(name):
            p = subprocess.Popen([*as_nobody, "run", "--name", name, "--log-level", "info", "-l", "127.0.0.1:0", "--", WORKER,
                                  "ready", "serve"], stderr=subprocess.PIPE, text=True, env=env, cwd="/")
            self.addCleanup(lambda: (p.terminate(), p.wait(PATIENCE), p.stderr.close()))
            for line in p.stderr:
                if "serves" in line:
                    return p
            raise AssertionError("it never served")
        self.assertEqual(call("status").returncode, 3)
        start("one")
        self.assertIn("one", call("status").stdout)
        self.assertEqual(call("reload").returncode, 0)
        start("two")
        r = call("reload")
        self.assertEqual(r.returncode, 2)
        self.assertIn("one", r.stderr)
        self.assertIn("two", r.stderr)
        listed = call("list").stdout
        self.assertIn("one", listed)
        self.assertIn("two", listed)
        self.assertEqual(call("stop", "two").returncode, 0)
        self.assertEqual(call("stop").returncode, 0)
        self.assertEqual(os.listdir(self.path("run")), [])


if __name__ == "__main__":
    main()
