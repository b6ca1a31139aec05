"""README.md under a real systemd, from its installation on: its lines, in its order, in a container that is thrown away."""
import glob, os, re, shutil, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "systemd"), os.path.join(HERE, "..", "docs")]
from document import ROOT, Document
from machine import ask, main, run, wait_until

README, MANAGERS = Document("README.md"), Document("packaging/docs/managers.md")
SYSTEMD = "Under systemd, from nothing"


@unittest.skipIf(not shutil.which("node"), "not installed: node")
class Readme(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        os.mkdir(self.directory + "/bin")
        with open(self.directory + "/bin/sudo", "w") as f:
            f.write('#!/bin/sh\nexec "$@"\n')
        os.chmod(self.directory + "/bin/sudo", 0o755)
        self.env = {**os.environ, "PATH": self.directory + "/bin:" + os.environ["PATH"]}

    def sh(self, line):
        return run("bash", "-c", line, cwd=self.directory, env=self.env).stdout

    def test_installed_and_run_as_a_unit(self):
        run("dpkg", "--purge", "graced", ok=False)
        run("rm", "-f", "/var/lib/man-db/auto-update")
        build, install = README.lines("Install")
        with open(os.path.join(HERE, "build")) as f:
            self.assertIn(build.removeprefix("./"), f.read())  # which made what is here
        os.makedirs(self.directory + "/build/package")
        for package in glob.glob(os.environ["PACKAGES"] + "/*.deb"):
            shutil.copy(package, self.directory + "/build/package")
        self.sh(install)

        self.sh(README.lines("Try it")[2])
        self.assertTrue(os.path.exists(self.directory + "/app.js"), ROOT)
        one, = README.of(SYSTEMD, "sh")
        copied, configured, check, enable, reload, status = one.splitlines()
        for line in (copied, configured, check, enable):
            self.sh(line)
        first = ask(("127.0.0.1", 8080))
        self.assertRegex(first, r"^hello from \d+\n$")
        pid = run("systemctl", "show", "-P", "MainPID", "graced@shop").stdout
        self.sh(reload)
        wait_until(lambda: ask(("127.0.0.1", 8080)) != first)
        with open(os.path.join(ROOT, "README.md")) as f:
            told = re.search(r"`status` says `([^`]+)`", f.read()).group(1)
        self.assertIn(told, self.sh(status))
        self.assertEqual(run("systemctl", "show", "-P", "MainPID", "graced@shop").stdout, pid)

        for line in MANAGERS.lines("Several apps"):
            self.sh(line)
        self.assertRegex(ask(("127.0.0.1", 8081)), r"^hello from \d+\n$")
        self.assertEqual(run("systemctl", "show", "-P", "MainPID", "graced@shop").stdout, pid)
        listed = run("graced", "list").stdout
        self.assertIn("shop", listed)
        self.assertIn("blog", listed)


if __name__ == "__main__":
    main()
