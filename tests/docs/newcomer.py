"""A newcomer who runs what documents say, in a directory, a network and a /run of their own."""
import ctypes, json, os, shutil, signal, socket, subprocess, sys, unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import own_network
from document import ROOT, Document, quoted  # noqa: F401, re-exported
from harness import GRACED, PATIENCE, Case, ask, main, wait_until  # noqa: F401, re-exported

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
ADDRESS = ("127.0.0.1", 8080)


def live_apart():
    """For the whole process: any port is free, and no other instance is seen. Skips where that takes root."""
    own_network.enter()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) or \
            libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755"):
        raise unittest.SkipTest("a /run of its own: %s (needs root)" % os.strerror(ctypes.get_errno()))


def needs(*programs):
    """For who has them all; else the test is skipped with the reason."""
    missing = [p for p in programs if not shutil.which(p)]
    return unittest.skipIf(missing, "not installed: " + ", ".join(missing))


class Newcomer(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        os.mkdir(self.path("bin"))
        os.symlink(GRACED, self.path("bin/graced"))
        self.script("sudo", 'exec "$@"')
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("GRACED_", "LISTEN_")) and k not in ("NOTIFY_SOCKET", "RUNTIME_DIRECTORY")}
        self.env.update(PATH=self.path("bin") + ":" + self.env["PATH"], HOME=self.directory, PM2_HOME=self.path("pm2"))
        self.started = 0

    def script(self, name, *lines):
        return self.write("bin/" + name, "\n".join(["#!/bin/sh", *lines, ""]), 0o755)

    def sh(self, text, code=0, patience=PATIENCE):
        """Runs it as bash does, in the newcomer's directory; what it printed. code: the exit status it must have, None: any."""
        r = subprocess.run(["bash", "-c", text], cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=patience)
        if code is not None:
            self.assertEqual(r.returncode, code, "%s\n%s\n%s" % (text, r.stdout, self.said()))
        return r.stdout

    def start(self, line):
        """A command that stays, as in a terminal of its own."""
        self.started += 1
        log = open(self.path("log.%d" % self.started), "wb")
        process = subprocess.Popen(["bash", "-c", "exec " + line], cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        """TERM, and after a while what Ctrl-C and a closed terminal cannot do."""
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def said(self):
        """What the commands that stay have printed."""
        text = ""
        for number in range(1, self.started + 1):
            with open(self.path("log.%d" % number), errors="replace") as f:
                text += f.read()
        return text

    def serving(self, line, name=""):
        """graced run, until it serves."""
        process = self.start(line)

        def ready():
            if process.poll() is not None:
                self.fail("%s ended with %d\n%s" % (line, process.returncode, self.said()))
            return subprocess.run(["graced", "status", *([name] if name else []), "--ready"], env=self.env, capture_output=True).returncode == 0

        wait_until(ready, lambda: line + "\n" + self.said())
        return process

    def answers(self, address=ADDRESS):
        """The body of an answer, once somebody gives one."""
        def answer():
            try:
                return (ask(address),)
            except ConnectionRefusedError:
                return None

        return wait_until(answer, lambda: "nobody answers at %s\n%s" % (address, self.said()))[0]

    def assert_free(self, port=8080):
        """Nobody listens there any more, also nobody that is about to go."""
        def free():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) != 0

        wait_until(free, "somebody still listens on %d" % port)

    def status(self, name=""):
        return json.loads(self.sh("graced status --json " + name))

    def reload_under_load(self, line="graced reload", times=3):
        """Each one is answered by new processes, and no request fails."""
        load = subprocess.Popen([os.environ["GRACED_LOAD"], "--time", "300s", "--rate", "100", "--timeout", "60s", "%s:%d" % ADDRESS],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (load.poll() is None and load.kill(), load.wait(), load.stdout.close()))
        before = {ask(ADDRESS)}
        done = self.status()["reloads"]
        for number in range(1, times + 1):
            self.sh(line)
            wait_until(lambda: self.status()["reloads"] == done + number, self.said)
            wait_until(lambda: ask(ADDRESS) not in before, lambda: "the old ones still answer\n" + self.said())
            before.add(ask(ADDRESS))
        report = self.report(load)
        self.assertEqual(report["failed"], 0, "%s\n%s" % (report, self.said()))
        self.assertGreater(report["answered"], times)
