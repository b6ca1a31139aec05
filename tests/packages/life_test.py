"""What an administrator does to the packages, in a throw-away root: install, upgrade, remove, purge. And
what that does to an instance that runs. PACKAGES and OLDER are directories with packages of graced."""
import glob, json, os, shutil, signal, socket, subprocess, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
MANUALS = glob.glob(os.path.join(HERE, "..", "..", "packaging", "man", "*.7"))
PATIENCE = 120
if not os.environ.get("THROW_AWAY_ROOT"):
    sys.exit("this installs and removes packages: it is run by CTest, in a root that tests/packages/root makes")


def run(*command, ok=True, **more):
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
                       stdin=subprocess.DEVNULL, **more)
    if ok and r.returncode != 0:
        raise AssertionError("%s: %d\n%s" % (" ".join(command), r.returncode, r.stdout))
    return r.stdout


def package(name, where):
    found = glob.glob("%s/%s_*.deb" % (os.environ[where], name))
    assert len(found) == 1, found
    return found[0]


def files_of(name):
    paths = run("dpkg", "-L", name).split("\n")
    return [p for p in paths if p and not os.path.isdir(p)]


class Instance:
    """graced run by hand, as anything but systemd would run it."""

    def __init__(self, directory, *options, name="demo", program="graced"):
        self.name = name
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(directory + "/" + name)
        manager.settimeout(PATIENCE)
        server = os.path.join(HERE, "..", "e2e", "worker.py")
        self.process = subprocess.Popen([program, "run", "--name", name, "-l", "127.0.0.1:0", *options, "--", server, "ready", "serve"],
                                        env={**os.environ, "NOTIFY_SOCKET": directory + "/" + name}, stdin=subprocess.DEVNULL)
        while b"READY=1" not in manager.recv(4096):
            pass
        manager.close()
        status = self.status()
        self.port = int(status["addresses"][0]["address"].rpartition(":")[2])
        self.worker = self.workers(status)

    def status(self):
        return json.loads(run("graced", "status", self.name, "--json"))

    def workers(self, status):
        return [w["pid"] for w in status["workers"] if w["state"] == "ready"]

    def runs(self, program):
        return os.path.samefile("/proc/%d/exe" % self.process.pid, program)

    def stop(self):
        run("graced", "stop", self.name)
        return self.process.wait(PATIENCE)

    def answers(self):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := s.recv(4096):
                answer += part
        return b" 200 OK" in answer


NAMES = "graced", "graced-probe", "graced-top", "graced-exporter", "libgraced-child-dev", "libgraced-child0"


class Life(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        # Whatever this machine has of it; and no index of all its manuals after each step.
        run("dpkg", "--purge", *NAMES, ok=False)
        run("rm", "-f", "/var/lib/man-db/auto-update")

    def test_installed_it_works(self):
        run("dpkg", "--install", package("graced", "PACKAGES"))
        self.assertIn("adoption", run("/usr/bin/graced", "--version"))
        files = files_of("graced")
        for path in ("/etc/graced/example.conf", "/usr/share/man/man1/graced.1.gz", "/usr/share/man/man5/graced.conf.5.gz",
                     "/usr/share/man/man5/graced-dbus.5.gz", "/usr/share/graced/graced-1.schema.json",
                     *("/usr/share/man/man7/" + os.path.basename(page) + ".gz" for page in MANUALS),
                     "/lib/systemd/system/graced@.service", "/usr/share/bash-completion/completions/graced",
                     "/usr/share/zsh/vendor-completions/_graced", "/usr/share/fish/vendor_completions.d/graced.fish",
                     "/usr/share/doc/graced/copyright", "/usr/share/doc/graced/changelog.gz"):
            self.assertIn(path, files)
        self.assertIn("/etc/graced/example.conf", run("dpkg-query", "--show", "--showformat=${Conffiles}", "graced"))
        depends = run("dpkg-query", "--show", "--showformat=${Depends}", "graced")
        self.assertIn("libc6 (>= ", depends)
        self.assertIn("libsystemd0 (>= ", depends)
        self.assertEqual(run("dpkg", "--verify", "graced"), "")

    def test_the_program_that_looks_at_servers_is_a_package_of_its_own(self):
        run("dpkg", "--install", package("graced", "PACKAGES"))
        run("dpkg", "--unpack", package("graced-probe", "PACKAGES"))  # whether libcurl is here or not
        self.assertIn("/usr/libexec/graced/graced-probe", files_of("graced-probe"))
        self.assertIn("libcurl4 (>= ", run("dpkg-query", "--show", "--showformat=${Depends}", "graced-probe"))

    def test_the_program_that_shows_all_instances_is_a_package_of_its_own(self):
        run("dpkg", "--install", package("graced", "PACKAGES"))
        self.assertIn("the package graced-top has it", run("sh", "-c", "graced top 2>&1; test $? = 1"))
        run("dpkg", "--unpack", package("graced-top", "PACKAGES"))  # whether ncurses is here or not
        files = files_of("graced-top")
        self.assertIn("/usr/libexec/graced/graced-top", files)
        self.assertIn("/usr/share/man/man1/graced-top.1.gz", files)
        self.assertIn("libncursesw6 (>= ", run("dpkg-query", "--show", "--showformat=${Depends}", "graced-top"))

    def test_what_looks_at_instances_is_a_package_of_its_own_which_starts_nothing(self):
        run("dpkg", "--unpack", package("graced-exporter", "PACKAGES"))  # whether libmicrohttpd is here or not
        files = files_of("graced-exporter")
        for path in ("/usr/bin/graced-exporter", "/lib/systemd/system/graced-exporter.service", "/lib/systemd/system/graced-exporter.socket",
                     "/usr/share/man/man1/graced-exporter.1.gz", "/usr/share/doc/graced-exporter/monitoring/graced.rules.yml",
                     "/usr/share/doc/graced-exporter/monitoring/graced.dashboard.json",
                     "/usr/share/bash-completion/completions/graced-exporter", "/usr/share/zsh/vendor-completions/_graced-exporter",
                     "/usr/share/fish/vendor_completions.d/graced-exporter.fish"):
            self.assertIn(path, files)
        self.assertIn("libmicrohttpd12 (>= ", run("dpkg-query", "--show", "--showformat=${Depends}", "graced-exporter"))

    def test_a_worker_is_built_with_the_library_as_installed(self):
        run("dpkg", "--install", package("libgraced-child-dev", "PACKAGES"), package("libgraced-child0", "PACKAGES"))
        self.assertIn("/usr/share/man/man3/graced-child.3.gz", files_of("libgraced-child-dev"))
        for language in ("c", "cpp"):
            source = os.path.join(HERE, "..", "sdk", "consumer", language)
            build = os.path.join(self.directory, language)
            run("cmake", "-S", source, "-B", build)
            run("cmake", "--build", build)
            run(build + "/worker")
        flags = run("pkg-config", "--cflags", "--libs", "graced-child").split()
        run("c++", "-std=c++20", os.path.join(HERE, "..", "sdk", "consumer", "cpp", "worker.cc"), *flags, "-o", self.directory + "/worker")
        run(self.directory + "/worker")

    def test_another_language_finds_the_shared_library_which_needs_nothing_else_of_graced(self):
        run("dpkg", "--install", package("libgraced-child0", "PACKAGES"))
        called = "import ctypes; print(ctypes.CDLL('libgraced-child.so.0').graced_listen(b'http', b'127.0.0.1:0'))"
        self.assertGreater(int(run("/usr/bin/python3", "-c", called)), 2)

    def test_an_upgrade_leaves_instances_and_changed_files_alone_and_says_what_to_do(self):
        run("dpkg", "--install", package("graced", "OLDER"))
        older = run("dpkg-query", "--show", "--showformat=${Version}", "graced")
        with open("/etc/graced/example.conf", "a") as f:
            f.write("# mine\n")
        instance = Instance(self.directory)
        said = run("dpkg", "--force-confold", "--install", package("graced", "PACKAGES"))
        self.assertNotEqual(run("dpkg-query", "--show", "--showformat=${Version}", "graced"), older)
        self.assertIn("goes on undisturbed", said)
        self.assertIn("demo still runs graced", said)
        self.assertIn("graced upgrade NAME", said)
        self.assertIn("systemctl restart graced@NAME", said)
        self.assertFalse(instance.runs("/usr/bin/graced"))

        self.assertIsNone(instance.process.poll())
        status = instance.status()
        self.assertEqual(status["pid"], instance.process.pid)
        self.assertEqual(instance.workers(status), instance.worker)
        self.assertTrue(instance.answers())
        run("graced", "reload", "demo")
        self.assertNotEqual(instance.workers(instance.status()), instance.worker)
        self.assertTrue(instance.answers())
        with open("/etc/graced/example.conf") as f:
            self.assertIn("# mine", f.read())
        run("graced", "upgrade", "demo")  # as the package has said
        self.assertTrue(instance.runs("/usr/bin/graced"))
        self.assertTrue(instance.answers())
        self.assertEqual(instance.stop(), 0)

    def goes_on(self, instance, before):
        self.assertIsNone(instance.process.poll())
        status = instance.status()
        self.assertEqual((status["pid"], instance.workers(status)), (instance.process.pid, instance.workers(before)))
        self.assertTrue(instance.answers())

    def test_who_has_opted_in_is_upgraded_with_the_package_and_only_with_another_one(self):
        run("dpkg", "--install", package("graced", "OLDER"))
        opted = Instance(self.directory, "--self-upgrade", name="opted")
        other = Instance(self.directory, name="other")
        before = opted.status(), other.status()
        self.assertEqual([status["self_upgrade"] for status in before], [True, False])
        said = run("dpkg", "--install", package("graced", "PACKAGES"))
        self.assertTrue(opted.runs("/usr/bin/graced"), said)
        self.assertFalse(other.runs("/usr/bin/graced"))
        self.assertIn("other still runs graced", said)
        self.assertNotIn("opted still runs", said)
        for instance, was in zip((opted, other), before):
            self.goes_on(instance, was)

        # The same version once more, and dpkg-reconfigure, are none.
        said = run("dpkg", "--install", package("graced", "PACKAGES"))
        self.assertNotIn("graced:", said)
        self.assertFalse(opted.runs("/usr/bin/graced"))
        said = run("dpkg", "--install", package("graced", "OLDER"))
        self.assertTrue(opted.runs("/usr/bin/graced"), said)
        self.goes_on(opted, before[0])
        for instance in opted, other:
            self.assertEqual(instance.stop(), 0)

    def test_an_instance_that_cannot_be_upgraded_goes_on_and_does_not_fail_the_package(self):
        run("dpkg", "--install", package("graced", "OLDER"))
        own = self.directory + "/graced"
        shutil.copy("/usr/bin/graced", own)
        instance = Instance(self.directory, "--self-upgrade", program=own)
        before = instance.status()
        with open(own + ".new", "w") as f:
            f.write("#!/bin/sh\nexit 0\n")
        os.chmod(own + ".new", 0o755)
        os.rename(own + ".new", own)
        said = run("dpkg", "--install", package("graced", "PACKAGES"))
        self.assertIn("is a script", said)
        self.goes_on(instance, before)
        self.assertIn("ok installed", run("dpkg-query", "--show", "--showformat=${Status}", "graced"))
        self.assertEqual(instance.stop(), 0)

    def test_an_instance_that_hangs_does_not_hang_the_package(self):
        run("dpkg", "--install", package("graced", "OLDER"))
        instance = Instance(self.directory, "--self-upgrade")
        instance.process.send_signal(signal.SIGSTOP)
        try:
            said = run("dpkg", "--install", package("graced", "PACKAGES"))
        finally:
            instance.process.send_signal(signal.SIGCONT)
        self.assertIn("demo", said)
        self.assertIn("ok installed", run("dpkg-query", "--show", "--showformat=${Status}", "graced"))
        self.assertTrue(instance.answers())
        instance.process.send_signal(signal.SIGTERM)
        self.assertEqual(instance.process.wait(PATIENCE), 0)

    def test_nothing_is_said_where_nothing_runs(self):
        run("dpkg", "--install", package("graced", "OLDER"))
        said = run("dpkg", "--install", package("graced", "PACKAGES"))
        self.assertNotIn("graced:", said)
        self.assertNotIn("graced:", run("dpkg", "--remove", "graced"))

    def test_without_the_package_an_instance_goes_on_and_can_be_stopped(self):
        run("dpkg", "--install", package("graced", "PACKAGES"))
        instance = Instance(self.directory)
        said = run("dpkg", "--remove", "graced")
        self.assertIn("demo", said)
        self.assertTrue(instance.answers())
        instance.process.send_signal(signal.SIGTERM)
        self.assertEqual(instance.process.wait(PATIENCE), 0)
        self.assertTrue(os.path.exists("/etc/graced/example.conf"))

    def test_purged_there_is_nothing_left_but_what_the_administrator_wrote(self):
        for own in (False, True):
            with self.subTest(own=own):
                run("dpkg", "--install", *(package(name, "PACKAGES") for name in NAMES))
                files = [path for name in NAMES for path in files_of(name)]
                self.assertGreater(len(files), 20)
                if own:
                    with open("/etc/graced/shop.conf", "w") as f:
                        f.write("command = /srv/shop\n")
                    wants = "/etc/systemd/system/multi-user.target.wants"
                    os.makedirs(wants, exist_ok=True)
                    os.symlink("/lib/systemd/system/graced@.service", wants + "/graced@shop.service")
                run("dpkg", "--purge", *NAMES)
                self.assertEqual([p for p in files if os.path.lexists(p)], [])
                self.assertEqual(run("dpkg-query", "--show", "--showformat=${Package}", "graced*", "libgraced*", ok=False).count("graced_"), 0)
                self.assertFalse(os.path.exists("/run/graced"))
                self.assertEqual(os.path.exists("/etc/graced"), own)
                if own:
                    self.assertEqual(os.listdir("/etc/graced"), ["shop.conf"])
                    self.assertFalse(os.path.lexists(wants + "/graced@shop.service"))
        self.assertEqual(run("dpkg", "--audit"), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
