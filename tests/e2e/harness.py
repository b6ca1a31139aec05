"""Runs the graced binary from outside. The test plays the service manager: it holds the notify
socket, so it hears READY=1, RELOADING=1 and STATUS= as systemd would, and waits for those words."""
import atexit, contextlib, functools, json, os, re, shutil, signal as signals, socket, subprocess, tempfile, time, unittest

from waiting import PATIENCE, ask, wait_until  # noqa: F401, re-exported


@functools.cache
def directory_of_everybody():
    directory = tempfile.mkdtemp(prefix="graced-test-programs-")
    atexit.register(shutil.rmtree, directory, True)
    os.chmod(directory, 0o755)
    return directory


def for_everybody(program):
    """Itself, or a copy: the tree may be in root's own directory, and tests become somebody else."""
    above = os.path.dirname(os.path.abspath(program))
    while os.stat(above).st_mode & 0o001:
        if above == "/":
            return program
        above = os.path.dirname(above)
    return shutil.copy(program, directory_of_everybody())


HERE = os.path.dirname(os.path.abspath(__file__))
GRACED = for_everybody(os.environ["GRACED_BINARY"])
# Asks for the status over and over, while tests wait; one that starts quickly leaves the processor to who is waited for.
LOOKS = for_everybody(os.environ.get("GRACED_THAT_ASKS") or os.environ["GRACED_BINARY"])
for beside in "graced-probe", "graced-top", "graced-exporter":  # as graced looks for them
    for_everybody(os.path.join(os.path.dirname(os.environ["GRACED_BINARY"]), beside))
WORKER = for_everybody(os.path.join(HERE, "worker.py"))
NOBODY = 65534
# Each graced is upgraded to itself once it is ready, and before and after each reload: what a test expects must come all the
# same. By hand, as "upgraded" is among the events then.
UPGRADED_OFTEN = os.environ.get("GRACED_UPGRADED_OFTEN") == "1"
# As whom no capability is left, nor can be had.
NO_PRIVILEGE = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--no-new-privs",
                "--inh-caps=-all", "--bounding-set=-all")


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
            # A process with threads is a zombie before the last of them has ended, and that one may accept still.
            return fields[0] not in "ZX" or int(fields[17]) > 1
    except OSError:
        return False


class Manager:
    """The notify socket of a service manager."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.heard = []

    def close(self):
        self.socket.close()

    def wait(self, pattern):
        """The next message that matches; those before it are passed over, all are kept in heard."""
        end = time.monotonic() + PATIENCE
        while True:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                message = self.socket.recv(65536).decode()
            except TimeoutError:
                raise AssertionError("no %r from graced, only %r" % (pattern, self.heard[-5:]))
            self.heard.append(message)
            if re.search(pattern, message):
                return message

    def pending(self):
        self.socket.settimeout(0)
        try:
            while True:
                self.heard.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            return self.heard


class Graced:
    def __init__(self, directory, *arguments, env=None, options=("-l", "127.0.0.1:0"), command=(), name="t",
                 pass_fds=(), preexec=None, wait=True, stderr=None, within=()):
        """within: a command that runs graced as its only child."""
        self.directory = directory
        self.name = name
        self.control = os.path.join(directory, name + ".control")
        self.manager = Manager(os.path.join(directory, name + ".manager"))
        self.log_path = os.path.join(directory, name + ".log")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        environment.update(NOTIFY_SOCKET=self.manager.path, **(env or {}))
        self.log = open(self.log_path, "wb") if stderr is None else stderr
        self.command = [GRACED, "run", "--name", name, "--control", self.control, *options, *arguments]
        if command:
            self.command += ["--", *command]
        self.process = subprocess.Popen([*within, *self.command], env=environment, stdin=subprocess.DEVNULL, stderr=self.log,
                                        stdout=subprocess.DEVNULL if stderr is None else None, cwd=directory,
                                        pass_fds=pass_fds, preexec_fn=preexec)
        self.pid = self.process.pid
        self.within = bool(within)
        try:
            if wait:
                self.wait("READY=1")
            if within:
                self.pid = wait_until(lambda: children(self.process.pid), self.said)[0]
            if wait:
                self.upgrade_often()
        except BaseException:
            self.close()
            raise

    def wait(self, pattern):
        try:
            return self.manager.wait(pattern)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.said()))

    def said(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def run(self, subcommand, *arguments, **more):
        return subprocess.run([GRACED, subcommand, "--control", self.control, *arguments], capture_output=True,
                              text=True, timeout=PATIENCE, **more)

    def reload(self, *arguments):
        self.upgrade_often()
        answer = self.run("reload", *arguments)
        self.upgrade_often()
        return answer

    def upgrade_often(self):
        if UPGRADED_OFTEN:
            answer = self.run("upgrade", "--binary", GRACED)
            assert answer.returncode == 0, answer.stdout + answer.stderr + self.said()

    def status(self):
        answer = subprocess.run([LOOKS, "status", "--json", "--control", self.control], capture_output=True, text=True, timeout=PATIENCE)
        assert answer.returncode == 0, answer.stderr + self.said()
        return json.loads(answer.stdout)

    def workers(self, state=None):
        return [w for w in self.status()["workers"] if state in (None, w["state"])]

    def address(self, index=0):
        """(host, port), or the path, of an address it listens on."""
        kind, _, where = self.status()["addresses"][index]["address"].partition(" ")
        if not kind.startswith(("tcp", "udp")):
            return where
        host, _, port = where.rpartition(":")
        return host.strip("[]"), int(port)

    def ask(self, index=0):
        """One request; the body of the answer."""
        return ask(self.address(index))

    def signal(self, signo):
        os.kill(self.pid, signo)

    def end(self, signo=signals.SIGTERM):
        if signo:
            self.signal(signo)
        code = self.process.wait(PATIENCE)
        self.manager.pending()
        return code

    def close(self):
        if self.process.poll() is None:
            workers = []
            try:
                workers = [w["pid"] for w in self.workers()]
            except Exception:
                pass
            for pid in children(self.process.pid) if self.within else []:
                os.kill(pid, signals.SIGKILL)
            self.process.kill()
            self.process.wait()
            for pid in workers:
                try:
                    os.killpg(pid, signals.SIGKILL)
                except OSError:
                    pass
        self.manager.close()
        if not isinstance(self.log, int):
            self.log.close()


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(child) for child in f.read().split()]
    except OSError:
        return []


def descriptors(pid):
    """What each open descriptor of it is, as "socket:[1234]", by number; one that is closed meanwhile is left out."""
    found = {}
    for number in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(OSError):
            found[int(number)] = os.readlink("/proc/%d/fd/%s" % (pid, number))
    return found


def wait_for_no_more_descriptors(pid, before, spare=0):
    """Soon: a client of the control socket may be leaving just now. before: as descriptors() gave it; spare: how many
    sockets may be kept for the next generation, or not."""
    wait_until(lambda: len(descriptors(pid)) <= len(before) + spare,
               lambda: "%d descriptors, %d before:\n%s\nbefore:\n%s" % (len(now := descriptors(pid)), len(before), now, before))


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="graced-test-")
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.habits = None
        self.addCleanup(self.assert_habits_were_read)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o644):
        """Whole, or not there yet: somebody may be waiting for it."""
        path = self.path(name)
        with open(path + ".new", "w") as f:
            f.write(text)
            os.fchmod(f.fileno(), mode)
        os.replace(path + ".new", path)
        return path

    def pid_in(self, name):
        """The PID in a file that somebody writes, once it is there."""
        def pid():
            try:
                with open(self.path(name)) as f:
                    return int(f.readline())
            except (OSError, ValueError):
                return None

        return wait_until(pid)

    def as_nobody(self):
        """As preexec: from then on an ordinary user, whose this test's directory is."""
        for path in [self.directory, *map(self.path, os.listdir(self.directory))]:
            os.chown(path, NOBODY, NOBODY)
        become_nobody()

    def graced(self, *arguments, **more):
        g = Graced(self.directory, *arguments, **more)
        self.addCleanup(g.close)
        return g

    def serving(self, *options, habits=("ready", "serve"), **more):
        """graced with worker.py behind it, ready."""
        return self.graced(*options, command=(WORKER, *habits), **more)

    def switchable(self, *options, habits=("ready", "serve"), **more):
        """As serving(), but the habits of the next generation are what become() says."""
        self.become(*habits)
        return self.graced(*options, command=(self.reader(WORKER),), **more)

    def reloading(self, g, *options):
        """A reload that is asked for, and not waited for."""
        p = subprocess.Popen([GRACED, "reload", "--control", g.control, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.communicate()))
        return p

    def end_group(self, process):
        """With all that it started, if it leads a session of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signals.SIGKILL)
        process.wait()

    def reader(self, *command):
        """A program that runs the command with the habits that become() said last."""
        # That they are read it says before, else become() could come between the two.
        return self.write("app", '#!/bin/sh\n: >"%s"\nexec %s $(cat "%s")\n' % (
            self.path("habits.read"), " ".join('"%s"' % word for word in command), self.path("habits")), 0o755)

    def ready_within(self, limit):
        """Options, by a file: --ready-timeout. Called again it counts from the next reload on, for the first start takes its
        time on a crowded machine, and what is never ready should not."""
        return "--config", self.write("limits.conf", "ready-timeout = %s\n" % limit)

    def become(self, *habits):
        """What a worker does from now on. One must be started before other habits are said, or the test fails."""
        self.assert_habits_were_read()
        self.write("habits", " ".join(habits))
        self.habits = habits

    def assert_habits_were_read(self):
        habits, self.habits = self.habits, None
        if habits is None:
            return
        said = self.path("habits.read")
        self.assertTrue(os.path.exists(said), "no worker has read that its habits are to be %r" % " ".join(habits))
        os.unlink(said)

    def run_graced(self, *arguments, env=None, **more):
        """For what ends by itself: its exit status, stdout and stderr."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        environment.pop("NOTIFY_SOCKET", None)
        environment.update(env or {})
        return subprocess.run([GRACED, *arguments], capture_output=True, text=True, timeout=PATIENCE, cwd=self.directory,
                              env=environment, stdin=subprocess.DEVNULL, **more)

    def load(self, *options):
        """Requests without end, until report() is asked for."""
        p = subprocess.Popen([os.environ["GRACED_LOAD"], "--time", "300s", "--follow", *options], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.wait(), p.stdout.close()))
        p.stdout.readline()  # the first answer
        return p

    def report(self, load):
        load.send_signal(signals.SIGTERM)
        out, _ = load.communicate(timeout=PATIENCE)
        return json.loads(out.strip().splitlines()[-1])

    def soon(self, words, answer):
        """Until the old generation has heard its drain signal it may take one more connection."""
        wait_until(lambda: words in answer(), lambda: "%r, not %r" % (answer(), words))

    def assert_refused(self, words, *arguments, code=2, **more):
        """Bad input: one clear line that holds these words, nothing else, and this exit status."""
        r = self.run_graced(*arguments, **more)
        self.assertEqual(r.returncode, code, r.stderr)
        self.assertEqual(r.stdout, "")
        lines = r.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, r.stderr)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, lines[0])

    def assert_nothing_left(self, graced, *pids):
        for pid in pids:
            wait_until(lambda: not alive(pid), "process %d is still there" % pid)
        left = [f for f in os.listdir(self.directory) if f.startswith(graced.name + ".control")]
        self.assertEqual(left, [])


def main():
    unittest.main(verbosity=2)
