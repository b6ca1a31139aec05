"""What tests do inside the sandbox: install graced on a machine that is theirs, and run it as a unit."""
import json, os, shutil, subprocess, sys, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from load import Load, assert_nothing_lost
from waiting import PATIENCE, ask, wait_until  # noqa: F401, re-exported

BUILD = os.environ["GRACED_BUILD"]

if not os.path.exists("/run/sandbox/command"):
    sys.exit("this installs things and starts units: run it by tests/systemd/sandbox")


def installed(program):
    """Where units, and whoever they run as, find it: the tree may be below somebody's home."""
    directory = "/usr/local/lib/graced-tests"
    os.makedirs(directory, exist_ok=True)
    return shutil.copy(os.path.join(HERE, program), directory)


SERVER = installed("server.py")
BINDER = installed("../e2e/binder.py")


def run(*command, ok=True, **more):
    r = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, **more)
    if ok and r.returncode != 0:
        raise AssertionError("%s: %d\n%s%s" % (" ".join(command), r.returncode, r.stdout, r.stderr))
    return r


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


def systemd_version():
    return int(run("systemctl", "--version").stdout.split()[1])


def systemctl(*arguments, ok=True):
    return run("systemctl", *arguments, ok=ok)


def install():
    run("cmake", "--install", BUILD, "--prefix", "/usr")
    systemctl("daemon-reload")


def refuses(address):
    """False also while the manager has not closed its store yet: what waits in there is reset then."""
    try:
        ask(address)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


class Case(unittest.TestCase):
    """graced@demo with server.py behind it."""
    maxDiff = None
    unit = "graced@demo.service"
    systemctl_options = ()
    config = "/etc/graced/demo.conf"
    address = ("127.0.0.1", 8080)
    where = "127.0.0.1:8080"

    @classmethod
    def setUpClass(cls):
        install()

    def setUp(self):
        self.addCleanup(self.clean)
        self.cursor = run("journalctl", "--lines", "0", "--show-cursor").stdout.rpartition("-- cursor: ")[2].strip()

    def run(self, result=None):
        failed = len(result.failures + result.errors)
        super().run(result)
        if len(result.failures + result.errors) > failed:
            print(self.journal("short-precise"), file=sys.stderr)

    def clean(self):
        self.systemctl("stop", self.unit, ok=False)
        self.systemctl("reset-failed", self.unit, ok=False)  # and how often it was started
        shutil.rmtree("/etc/systemd/system/%s.d" % self.unit, ignore_errors=True)

    def systemctl(self, *arguments, ok=True):
        return systemctl(*self.systemctl_options, *arguments, ok=ok)

    def drop_in(self, text):
        write("/etc/systemd/system/%s.d/test.conf" % self.unit, text)
        self.systemctl("daemon-reload")

    def configure(self, *lines, build="a"):
        self.build(build)
        write(self.config, "\n".join(["command = %s /run/build" % SERVER, *(lines or ["listen = " + self.where])]) + "\n")

    def build(self, text):
        write("/run/build", text)

    def start(self, *lines):
        self.configure(*lines)
        r = self.systemctl("start", self.unit, ok=False)
        if r.returncode != 0:
            raise AssertionError(r.stderr + self.journal())
        return self.main_pid()

    def show(self, name):
        return self.systemctl("show", "--property", name, "--value", self.unit).stdout.strip()

    def main_pid(self):
        return int(self.show("MainPID"))

    def journal(self, output="cat"):
        """What the unit, and systemd of it, said in this test."""
        run("journalctl", "--sync")
        return run("journalctl", "--unit", self.unit, "--output", output, *(self.cursor and ["--after-cursor", self.cursor])).stdout

    def wait_for(self, name, value):
        wait_until(lambda: self.show(name) == value,
                   lambda: "%s is %s, not %s\n%s" % (name, self.show(name), value, self.journal()))

    def load(self, *options):
        load = Load(*(options or (self.where,)))
        self.addCleanup(load.close)
        return load

    def status(self):
        return json.loads(run("graced", "status", "demo", "--json").stdout)

    def assert_well(self, report):
        assert_nothing_lost(self, report)


def main():
    unittest.main(verbosity=2)
