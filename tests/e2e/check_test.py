"""graced check refuses what graced run would refuse, tells all of it, and leaves nothing behind."""
import ctypes, os, socket, subprocess, unittest
from harness import Case, WORKER, main

libc = ctypes.CDLL(None, use_errno=True)


def root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(test)


class Check(Case):
    def check(self, *arguments, code, **more):
        r = self.run_graced("check", "--name", "n", "--control", self.path("c"), *arguments, **more)
        self.assertEqual(r.returncode, code, r.stderr + r.stdout)
        return r

    def refused(self, words, *arguments, code=1, **more):
        """By check and by run alike, and by check in one line."""
        lines = self.check(*arguments, code=code, **more).stderr.splitlines()
        self.assertEqual(len(lines), 1, lines)
        r = self.run_graced("run", "--name", "n", "--control", self.path("c"), "--restart", "never", *arguments, **more)
        self.assertNotEqual(r.returncode, 0)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, lines[0])
            self.assertIn(word, r.stderr)

    def test_a_socket_that_has_no_such_name(self):
        unix = "unix:%s,name=http" % self.path("h")
        self.refused(("{fd:htp}", "there are http"), "-l", unix, "--", WORKER, "serve", "{fd:htp}", code=2)
        self.refused("{fd:htp}", "-l", unix, "--env", "N={fd:htp}", "--", WORKER, "serve", code=2)
        self.refused("{fd:htp}", "-l", unix, "--check", "true {fd:htp}", "--", WORKER, "serve", code=2)

    def test_a_command_that_is_not_there_or_cannot_be_run(self):
        self.refused(("exec ./nowhere", "No such file or directory"), "--", "./nowhere")
        self.refused("not found in PATH", "--", "graced-no-such-command")
        self.write("plain", "text\n")
        self.refused("chmod +x", "--", "./plain")
        self.write("script", "#!/no/interpreter\n", 0o755)
        self.refused("the interpreter that its first line names is not", "--", "./script")
        self.write("junk", "junk", 0o755)
        self.refused("neither a program nor a script", "--", "./junk")

    def test_nothing_of_the_command_is_run(self):
        script = self.write("app", "#!/bin/sh\ntouch %s\n" % self.path("ran"), 0o755)
        self.check("--", script, code=0)
        self.check("--check", script, "--", script, code=0)
        self.assertEqual(os.listdir(self.directory), ["app"])

    def test_a_check_that_a_reload_could_not_run(self):
        r = self.check("--check", "./no-such-test", "--", WORKER, code=1)
        self.assertIn("check: exec ./no-such-test: No such file or directory", r.stderr)

    @root
    def test_a_command_that_the_worker_s_user_may_not_run(self):
        os.chmod(self.directory, 0o755)
        script = self.write("app", "#!/bin/sh\n", 0o700)
        self.check("--", script, code=0)
        self.refused(("exec", "Permission denied"), "--user", "nobody", "--", script)
        os.mkdir(self.path("private"), 0o700)
        self.refused(("chdir", "Permission denied"), "--user", "nobody", "--chdir", self.path("private"), "--", WORKER)

    @root
    def test_what_an_ordinary_user_may_not(self):
        os.chown(self.directory, 10000, 10000)
        for words, options in ((("become user", "root"), ("--user", "nobody")),
                               (("set limit nofile",), ("--rlimit", "nofile=infinity"))):
            with self.subTest(words):
                self.refused(words, *options, "--", WORKER, user=10000, group=10000, extra_groups=[])

    def test_who_and_where_that_are_not_here(self):
        self.refused("user 'no-such-user' does not exist", "--user", "no-such-user", "--", WORKER)
        self.refused("group 'no-such-group' does not exist", "--group", "no-such-group", "--", WORKER)
        self.refused(("chdir", "/no/such/place"), "--chdir", "/no/such/place", "--", WORKER)
        self.refused("/no/such/place/pid", "--pid-file", "/no/such/place/pid", "--", WORKER)
        self.refused("/no/such/env", "--env-file", "/no/such/env", "--", WORKER, code=2)

    def test_addresses_that_cannot_be_had(self):
        self.refused(("/no/such/place", "does not exist"), "-l", "unix:/no/such/place/s", "--", WORKER)
        self.write("file", "")
        self.refused("is not a socket", "-l", "unix:" + self.path("file"), "--", WORKER)
        self.refused("resolve no-such-host.invalid", "-l", "no-such-host.invalid:8080", "--", WORKER)
        self.refused("no interface of this machine has it", "-l", "192.0.2.1:8080", "--", WORKER)
        self.refused("user 'no-such-user' does not exist", "-l", "unix:%s,user=no-such-user" % self.path("s"), "--", WORKER)

    def test_an_address_that_another_program_has(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.refused(("in use by", "PID %d" % os.getpid()), "-l", "127.0.0.1:%d" % s.getsockname()[1], "--", WORKER)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.path("s"))
            s.listen()
            self.refused("in use by", "-l", "unix:" + self.path("s"), "--", WORKER)

    def test_two_addresses_that_overlap(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        self.refused(("which listens on", "these two overlap"), "-l", "0.0.0.0:%d" % port, "-l", "127.0.0.1:%d" % port, "--", WORKER)

    @root
    def test_a_directory_for_a_socket_that_may_not_be_written(self):
        os.chown(self.directory, 10000, 10000)
        os.mkdir(self.path("root"), 0o755)
        self.refused("no permission to create a file in", "-l", "unix:" + self.path("root/s"), "--", WORKER,
                     user=10000, group=10000, extra_groups=[])

    def test_a_control_socket_that_has_no_place(self):
        self.write("file", "")
        r = self.run_graced("check", "--control", self.path("file/c"), "--", WORKER)
        self.assertEqual(r.returncode, 1)
        self.assertIn("no place for the control socket", r.stderr)

    def test_all_of_it_is_told_in_the_order_of_the_file(self):
        conf = self.write("a.conf", "\n".join((
            "listen = unix:/no/such/place/s", "workers = lots", "user = no-such-user", "wrokers = 2",
            "group = no-such-group", "pid-file = /no/such/place/pid", "command = ./nowhere {fd:x}",
            "chdir = /no/such/place")) + "\n")
        r = self.check("--config", conf, "--restart", "maybe", code=2, env={"GRACED_DRAIN": "slowly"})
        self.assertEqual(r.stdout, "")
        lines = r.stderr.splitlines()
        begins = ["--restart maybe", "GRACED_DRAIN=slowly", *("%s:%d: " % (conf, n) for n in range(1, 9))]
        self.assertEqual(len(lines), len(begins), r.stderr)
        for line, begin in zip(lines, begins):
            self.assertTrue(line.startswith("graced: " + begin), r.stderr)

    def test_run_tells_all_wrong_values_too(self):
        conf = self.write("a.conf", "workers = lots\nwrokers = 2\ncommand = true\n")
        r = self.run_graced("run", "--config", conf)
        self.assertEqual(r.returncode, 2)
        self.assertEqual([l.split(": ")[1] for l in r.stderr.splitlines()], [conf + ":1", conf + ":2"])

    def test_a_service_that_runs_is_not_in_its_own_way(self):
        g = self.serving("-l", "unix:" + self.path("s"), "-l", "127.0.0.1:0", "--pid-file", self.path("p"), options=())
        port = g.address(1)[1]
        arguments = ("-l", "unix:" + self.path("s"), "-l", "127.0.0.1:%d" % port, "--pid-file", self.path("p"), "--", WORKER)
        r = self.run_graced("check", "--control", g.control, *arguments)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        # Nor where its place is not told.
        r = self.run_graced("check", "--control", self.path("c"), *arguments[:4], "--", WORKER)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn("run would be refused now", r.stdout)
        self.assertIn("generation 1 ", g.ask())


class Bare(Case):
    """What graced cannot be without is not here."""

    def without(self, *mounts):
        """As preexec: a mount namespace of its own with something else there."""
        if os.geteuid() != 0:
            self.skipTest("needs root to mount")
        CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND = 0x20000, 0x4000, 0x40000, 0x1000

        def preexec():
            if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            for source, target in mounts:
                flags = MS_BIND if source else 0
                if libc.mount((source or "none").encode(), target.encode(), b"tmpfs", flags, None) != 0:
                    raise OSError(ctypes.get_errno(), target)
        try:
            subprocess.run(["true"], preexec_fn=preexec, check=True)
        except subprocess.SubprocessError:
            self.skipTest("this machine does not let us mount")
        return preexec

    def both_say(self, words, *arguments, **more):
        for command in "check", "run":
            r = self.run_graced(command, "--name", "n", "--control", self.path("c"), *arguments, "--", WORKER,
                                "write=%s:x" % self.path("started"), "serve", **more)
            self.assertEqual(r.returncode, 1, r.stderr)
            for word in words:
                self.assertIn(word, r.stderr)
        self.assertFalse(os.path.exists(self.path("started")))
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("c")], [])

    @unittest.skipIf(os.environ.get("GRACED_SANITIZED") == "1", "AddressSanitizer reads /proc before graced begins")
    def test_without_proc_the_reason_is_told_at_once(self):
        self.both_say(["/proc is not mounted"], "-l", "unix:" + self.path("s"), preexec_fn=self.without((None, "/proc")))

    def test_a_reload_without_proc_says_so(self):
        # Its mount namespace is ours to change later.
        g = self.serving(preexec=self.without())
        subprocess.run(["nsenter", "-m", "-t", str(g.pid), "mount", "-t", "tmpfs", "none", "/proc"], check=True)
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("/proc is not mounted", r.stderr)
        self.assertIn("generation 1 ", g.ask())

    def test_a_library_that_cannot_be_loaded_is_found_out_before_a_worker_starts(self):
        self.write("libsystemd.so.0", "")
        self.both_say(["libsystemd.so.0", "libsystemd0"], "-l", "unix:" + self.path("s"), env={"LD_LIBRARY_PATH": self.directory})

    def test_an_image_without_the_library(self):
        empty = self.write("empty", "")
        with open("/proc/self/maps") as f:
            libc_path = next(l.split()[-1] for l in f if "/libc.so" in l)
        library = os.path.join(os.path.dirname(os.path.realpath(libc_path)), "libsystemd.so.0")
        if not os.path.exists(library):
            self.skipTest("the library is elsewhere")
        self.both_say(["libsystemd.so.0", "libsystemd0"], "-l", "unix:" + self.path("s"),
                      preexec_fn=self.without((empty, os.path.realpath(library))))


if __name__ == "__main__":
    main()
