"""Another graced takes the place of that of graced@demo while it runs: to systemd nothing has happened."""
import itertools, os, re, shutil, signal
from machine import BINDER, Case, ask, main, read, refuses, run, wait_until, write

PROGRAM = "/usr/bin/graced"
UPGRADES = 8
# What a restart, or a reload that systemd is told of, would change.
UNTOUCHED = ("MainPID", "InvocationID", "NRestarts", "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic",
             "StateChangeTimestampMonotonic", "NFileDescriptorStore", "StatusText")

# What a unit may be restricted to, beside hardened.conf. DynamicUser= last: it leaves a directory that others do not find theirs in.
RESTRICTED = (
    ("SystemCallFilter=@system-service", "MemoryDenyWriteExecute=yes"),
    ("PrivateUsers=yes",),
    ("ProtectProc=invisible", "ProcSubset=pid"),
    ("NoExecPaths=/", "ExecPaths=/usr /lib /lib64"),
    ("LimitNOFILE=64", "TasksMax=12", "MemoryMax=24M"),
    ("User=daemon",),
    ("DynamicUser=yes", "SystemCallFilter=@system-service", "MemoryDenyWriteExecute=yes", "ProtectSystem=strict", "PrivateDevices=yes",
     "RestrictNamespaces=yes", "ProtectKernelTunables=yes", "CapabilityBoundingSet="),
)


class Upgrade(Case):
    def setUp(self):
        super().setUp()
        self.first = PROGRAM + ".first"
        shutil.copy2(PROGRAM, self.first)
        self.addCleanup(self.lies_there, self.first)

    def lies_there(self, program):
        """As a package does it: another file at the path, whoever runs the one before."""
        shutil.copy2(program, PROGRAM + ".new")
        os.rename(PROGRAM + ".new", PROGRAM)

    def programs(self):
        return itertools.cycle((os.environ["GRACED_NEXT"], self.first))

    def version(self):
        return run(PROGRAM, "--version").stdout.split()[1]

    def seen_by_systemd(self):
        return {name: self.show(name) for name in UNTOUCHED}

    def upgrade(self, program):
        pid = self.main_pid()
        self.lies_there(program)
        self.assertFalse(os.path.samefile("/proc/%d/exe" % pid, PROGRAM))
        run("graced", "upgrade", "demo")
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, PROGRAM))
        self.assertEqual(self.status()["version"], self.version())

    def hardened(self, *more):
        self.drop_in("\n".join([read("/usr/share/doc/graced/examples/systemd/hardened.conf"), *more, ""]))

    def assert_undisturbed(self):
        """Upgrades between reloads, under load."""
        load = self.load()
        programs = self.programs()
        for i in range(UPGRADES):
            seen = self.seen_by_systemd()
            self.upgrade(next(programs))
            self.assertEqual(self.seen_by_systemd(), seen)
            self.build("b%d" % i)
            self.systemctl("reload", self.unit)
            load.next_pid()
            self.assertEqual(self.show("StatusText").split(",")[0].split(";")[0], "generation %d serves with 1 worker" % (i + 2))
        self.assert_well(load.report())

    def test_hardened_it_goes_on_with_its_main_pid_its_store_and_its_watchdog(self):
        self.hardened("WatchdogSec=20s")
        pid = self.start("listen = 127.0.0.1:8080", "listen = unix:/run/demo.sock")
        self.assert_undisturbed()
        self.assertEqual((self.main_pid(), self.show("NRestarts")), (pid, "0"))
        self.assertEqual(self.show("NFileDescriptorStore"), "2")
        # The watchdog is told by the new graced as well: once when it has taken over, and then by its clock.
        for _ in range(2):
            told = self.show("WatchdogTimestampMonotonic")
            wait_until(lambda: self.show("WatchdogTimestampMonotonic") != told, self.journal)

        # What the store holds is what the next one, after a crash, goes on with.
        load = self.load()
        os.kill(pid, signal.SIGKILL)
        load.next_pid()
        wait_until(lambda: self.show("NRestarts") == "1" and self.show("ActiveState") == "active", self.journal)
        report = load.report()
        self.assertEqual((report["failures"]["refused"], report["failures"]["timeout"]), (0, 0), report)
        self.assertIn("listens on tcp 127.0.0.1:8080 again", self.journal())

    def test_hardened_what_its_server_has_bound_itself_goes_on_too(self):
        self.hardened()
        write(self.config, "command = %s tcp:8080\ndrain-idle = 50ms\n" % BINDER)
        self.systemctl("start", self.unit)
        wait_until(lambda: self.show("NFileDescriptorStore") == "1")
        load = self.load()
        programs = self.programs()
        for _ in range(UPGRADES):
            seen = self.seen_by_systemd()
            self.upgrade(next(programs))
            self.assertEqual(self.seen_by_systemd(), seen)
            self.systemctl("reload", self.unit)
            load.next_pid()
        self.assert_well(load.report())
        self.assertEqual([(a["name"], a["address"]) for a in self.status()["addresses"]], [("adopted", "tcp 127.0.0.1:8080")])

    def test_it_goes_on_in_a_unit_that_is_restricted_in_other_ways(self):
        self.addCleanup(shutil.rmtree, "/run/graced", True)
        for lines in RESTRICTED:
            with self.subTest(lines):
                self.drop_in("\n".join(("[Service]", *lines, "")))
                pid = self.start()
                for program in (os.environ["GRACED_NEXT"], self.first):
                    seen = self.seen_by_systemd()
                    self.upgrade(program)
                    self.assertEqual(self.seen_by_systemd(), seen)
                    self.systemctl("reload", self.unit)
                self.assertEqual(self.main_pid(), pid)
                self.systemctl("stop", self.unit)
                self.assertEqual(self.show("Result"), "success")

    def test_it_still_hears_a_stop_and_leaves_nothing(self):
        pid = self.start("listen = 127.0.0.1:8080", "listen = unix:/run/demo.sock")
        self.upgrade(os.environ["GRACED_NEXT"])
        self.systemctl("stop", self.unit)
        self.assertEqual((self.show("ActiveState"), self.show("Result")), ("inactive", "success"))
        self.assertIn("stopped as asked", self.journal())
        for path in ("/proc/%d" % pid, "/run/graced/demo", "/run/demo.sock"):
            self.assertFalse(os.path.exists(path), path)
        self.assertEqual(self.show("ControlGroup"), "")
        wait_until(lambda: refuses(self.address))

    def test_it_restarts_after_an_upgrade_and_refuses_nobody(self):
        pid = self.start()
        load = self.load()
        self.upgrade(os.environ["GRACED_NEXT"])
        self.systemctl("restart", self.unit)
        self.assertNotEqual(self.main_pid(), pid)
        load.next_pid()
        self.assert_well(load.report())

    def test_a_file_that_is_no_graced_changes_nothing(self):
        self.start()
        seen = self.seen_by_systemd()
        inode = os.stat("/proc/%d/exe" % self.main_pid()).st_ino
        for program, why in (("/bin/true", "true"), ("/etc/passwd", "not executable"), ("/nowhere", "No such file")):
            with self.subTest(program):
                r = run("graced", "upgrade", "demo", "--binary", program, ok=False)
                self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
                self.assertIn(why, r.stderr)
        self.assertEqual({k: v for k, v in self.seen_by_systemd().items() if k != "StatusText"},
                         {k: v for k, v in seen.items() if k != "StatusText"})
        self.assertEqual(os.stat("/proc/%d/exe" % self.main_pid()).st_ino, inode)
        self.assertIn("build a", ask(self.address))

    def test_ambient_capabilities_stay_and_a_file_that_would_lose_them_is_refused(self):
        self.drop_in("[Service]\nUser=daemon\nAmbientCapabilities=CAP_NET_BIND_SERVICE CAP_KILL\n")
        pid = self.start()

        def may():
            return re.search(r"CapEff:\s*(\w+)", read("/proc/%d/status" % pid)).group(1)

        before = may()
        self.assertNotEqual(int(before, 16), 0)
        self.upgrade(os.environ["GRACED_NEXT"])
        self.assertEqual(may(), before)

        self.lies_there(self.first)
        run("setcap", "cap_net_bind_service=ep", PROGRAM)
        r = run("graced", "upgrade", "demo", ok=False)
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("would not have the capabilities that graced has now: kill", r.stderr)
        self.assertEqual((self.main_pid(), may()), (pid, before))
        run("setcap", "-r", PROGRAM)
        run("graced", "upgrade", "demo")
        self.assertEqual((self.main_pid(), may()), (pid, before))

    def test_its_own_user_does_not_get_its_capabilities_by_a_file_of_his_own(self):
        """Who is graced's user but has none of its ambient capabilities, as its workers."""
        self.drop_in("[Service]\nUser=daemon\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n")
        pid = self.start()
        own = "/run/own-graced"
        shutil.copy2(os.environ["GRACED_NEXT"], own)
        as_user = ("setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "graced", "upgrade", "demo")
        for owner, mode in (("daemon", 0o755), ("root", 0o777)):
            shutil.chown(own, owner)
            os.chmod(own, mode)
            r = run(*as_user, "--binary", own, ok=False)
            self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
            self.assertIn("only root may have it take over", r.stderr)
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, PROGRAM))
        self.lies_there(os.environ["GRACED_NEXT"])  # which is root's
        run(*as_user)
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, PROGRAM))

        # Root may, and where graced has no capabilities its user may.
        run("graced", "upgrade", "demo", "--binary", own)
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, own))
        self.systemctl("stop", self.unit)
        self.drop_in("[Service]\nUser=daemon\n")
        pid = self.start()
        run(*as_user, "--binary", own)
        self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, own))


if __name__ == "__main__":
    main()
