"""What tests of service managers share: an example of packaging/examples with another place for its
files, a server behind graced, and the reload loop under load. The manager is the real one."""
import itertools, json, os, shutil, signal, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import GRACED, PATIENCE, WORKER, Case, alive, ask, for_everybody, main, wait_until  # noqa: F401, re-exported
from load import reload_under_load

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "examples")
RELOADS = 20
UPGRADES = 6


# The same, of another version.
NEXT = for_everybody(os.environ["GRACED_NEXT"])


def version_of(program):
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]


def needs(*programs):
    """For those who have them all; else the tests are skipped with the reason."""
    missing = [p for p in programs if not shutil.which(p)]
    return unittest.skipIf(missing, "not installed: " + ", ".join(missing))


class Managed(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        self.install(GRACED)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_") and k != "NOTIFY_SOCKET"}
        self.env["PATH"] = self.path("bin") + ":" + self.env["PATH"]
        # The commands of graced in the examples' scripts find it there too.
        self.env["GRACED_CONTROL"] = self.path("control")
        self.address = self.path("socket")
        self.serve("ready", "serve")

    def install(self, program):
        """As a package does: another file comes to lie at the path, whoever runs the one before."""
        shutil.copy(program, self.path("bin/graced.new"))
        os.rename(self.path("bin/graced.new"), self.path("bin/graced"))

    def serve(self, *habits):
        """What shop.conf says from now on."""
        self.command = " ".join([WORKER, *habits])
        self.write("shop.conf", "command = %s\nlisten = unix:%s\n" % (self.command, self.address))

    def example(self, name, **more):
        """The example with our shop.conf instead of that of /etc, and what else is to be replaced."""
        with open(os.path.join(EXAMPLES, name)) as f:
            text = f.read()
        for old, new in more.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text.replace("/etc/graced/shop.conf", self.path("shop.conf"))

    def run_in(self, *command, ok=True):
        r = subprocess.run(command, env=self.env, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=PATIENCE)
        if ok:
            self.assertEqual(r.returncode, 0, "%r\n%s%s" % (command, r.stdout, r.stderr))
        return r

    def manager(self, *command):
        """Starts it; at the end it is told to go by TERM."""
        log = open(self.path("manager.log"), "wb")
        process = subprocess.Popen(command, env=self.env, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        log.close()

        def end():
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()
                self.assertEqual(self.left(), [])

        self.addCleanup(end)
        return process

    def left(self):
        """Processes that were started from this test's directory and are still there."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as f:
                    if self.env["GRACED_CONTROL"].encode() in f.read() and int(pid) != os.getpid():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def said(self):
        return self.said_in("manager.log")

    def said_in(self, name):
        try:
            with open(self.path(name), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def status(self):
        r = self.run_in("graced", "status", "--json", ok=False)
        return json.loads(r.stdout) if r.returncode == 0 else None

    def serving(self, generation):
        """Waits until it serves; graced's PID."""
        status = wait_until(lambda: (lambda s: s and s["serving"] == generation and s["phase"] == "serving" and s)(self.status()),
                            lambda: "%r\n%s" % (self.status(), self.said()))
        return status["pid"]

    def reload_loop(self, reload, pid_by_manager):
        """reload() by the manager, again and again under load: the PID stays, and no request fails."""
        pid = self.serving(1)
        self.assertEqual(pid_by_manager(), pid)
        reload_under_load(self, "unix:" + self.address, reload, self.serving, range(2, RELOADS + 2))
        self.assertEqual((self.status()["pid"], pid_by_manager()), (pid, pid))
        return pid

    def upgrade_loop(self, reload, pid_by_manager, seen_by_manager):
        """Up and down between reloads, under load: the process that the manager knows goes on and becomes each program in turn, and
        what the manager has seen of it stays what it was."""
        pid = self.serving(1)
        seen = seen_by_manager()
        versions = itertools.cycle((NEXT, GRACED))

        def upgrade_and_reload():
            before = self.status()
            self.install(next(versions))
            self.assertFalse(os.path.samefile("/proc/%d/exe" % pid, self.path("bin/graced")))
            self.run_in("graced", "upgrade")
            self.assertTrue(os.path.samefile("/proc/%d/exe" % pid, self.path("bin/graced")))
            after = self.status()
            self.assertEqual(after["version"], version_of(self.path("bin/graced")))
            self.assertNotEqual(after["version"], before["version"])
            self.assertEqual(after["pid"], pid)
            self.assertEqual([w["pid"] for w in after["workers"] if w["state"] == "ready"],
                             [w["pid"] for w in before["workers"] if w["state"] == "ready"])
            self.assertEqual((pid_by_manager(), seen_by_manager()), (pid, seen))
            reload()

        reload_under_load(self, "unix:" + self.address, upgrade_and_reload, self.serving, range(2, UPGRADES + 2))
        self.assertEqual((self.status()["pid"], pid_by_manager(), seen_by_manager()), (pid, pid, seen))
        return pid

    def crash(self):
        """Kills graced and its worker; the PID of the next graced, once that serves."""
        pid = self.serving(1)
        worker = self.status()["workers"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)

        def next_one():
            status = self.status()
            return status and status["pid"] != pid and status["phase"] == "serving" and status["pid"]

        again = wait_until(next_one, self.said)
        self.assertFalse(alive(pid))
        return again

    def stop_finishes_what_is_under_way(self, stop, pid):
        """A worker that has yet to finish keeps stop() from coming back; then all are gone."""
        leave = self.path("leave")
        worker = self.status()["workers"][0]["pid"]
        stopping = subprocess.Popen(stop, env=self.env, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.status()["phase"] == "stopping", self.said)
            self.assertTrue(alive(worker))
            self.assertIsNone(stopping.poll())
            with open(leave, "w"):
                pass
            self.assertEqual(stopping.wait(PATIENCE), 0)
        finally:
            stopping.kill()
            stopping.wait()
        for process in (worker, pid):
            wait_until(lambda: not alive(process), "%d is still there" % process)
        self.assertFalse(os.path.exists(self.address))
