"""One graced under load, the service manager above it, and the promises that are checked after every step."""
import json, os, resource, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import waiting
from datagrams import FLOW_TIMEOUT, Datagrams, astray
from follower import Follower
from harness import Manager, alive, descriptors

GRACED = os.environ["GRACED_BINARY"]
LOOKS = os.environ.get("GRACED_THAT_ASKS") or GRACED  # for the status, over and over
LOAD = os.environ["GRACED_LOAD"]
PATIENCE = 60  # seconds; for anything, on a slow and crowded machine
# A step that wants less says so: on a slow machine a good worker takes its time.
PATIENT = {"drain-timeout": "40s", "ready-timeout": "40s", "stop-timeout": "40s"}
SANITIZED = os.environ.get("GRACED_SANITIZED") == "1"


class Broken(Exception):
    """A promise was."""


def must(kept, promise, *details):
    if not kept:
        raise Broken(": ".join([promise, *(str(d) for d in details)]))


def wait_until(what, promise, details=lambda: ""):
    return waiting.wait_until(what, lambda: "%s: %s" % (promise, details()), PATIENCE, Broken)


def stat_of(pid):
    """(state, parent, resident pages), None if it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        return fields[0], int(fields[1]), int(fields[21])
    except OSError:
        return None


def listening_sockets(pid):
    """As descriptors() names them; TCP."""
    found = set()
    for table in "tcp", "tcp6":
        with open("/proc/%d/net/%s" % (pid, table)) as f:
            found.update("socket:[%s]" % fields[9] for fields in map(str.split, f) if fields[3] == "0A")
    return found


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := stat_of(int(entry))) and stat[1] == pid:
            found.append((int(entry), stat[0]))
    return found


def marked(mark):
    """Processes that were started below this world, wherever they are now."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/environ" % entry, "rb") as f:
                if mark in f.read().split(b"\0") and alive(int(entry)):
                    found.append(int(entry))
        except (OSError, ValueError):
            pass
    return found


class Stderr:
    """graced's log, read by somebody who can stop reading."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        self.text = b""
        self.reading = threading.Event()
        self.reading.set()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while self.reading.wait() and (part := os.read(self.reader, 65536)):
            self.text = (self.text + part)[-200_000:]

    def last(self):
        return self.text[-3000:].decode(errors="replace")


class World:
    def __init__(self, workers, sockets, keep_alive, starter, proves, udp):
        self.directory = tempfile.mkdtemp(prefix="graced-chaos-")
        self.mark = ("CHAOS_WORLD=" + self.directory).encode()
        # Whose they are: "own" are bound by graced, "held" passed to it by its manager, "adopted" bound by workers.
        self.held, self.adopted, self.keep_alive = sockets == "held", sockets == "adopted", keep_alive
        # "moves": all that comes goes to the newest; "stays": a flow stays where it is; or "no" UDP.
        self.udp = None if udp == "no" else udp
        self.starter = starter
        self.control = self.path("control")
        self.manager = Manager(self.path("manager"))
        self.stderr = Stderr()
        self.follower = Follower(self.control)
        self.load = self.process = None
        self.datagrams = Datagrams()
        self.batches = False  # of which those that have joined get new flows before they are said to serve
        self.baseline = {}  # descriptors of graced, by what it has to hold
        self.resident = []
        self.requests = self.steps = 0
        self.socket = None
        if self.held:
            self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        if self.adopted:
            with socket.create_server(("127.%d.%d.1" % (1 + os.getpid() % 250, os.getpid() // 250 % 250), 0)) as s:
                self.address = s.getsockname()
                if self.udp:
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp_too:
                        udp_too.bind(self.address)
        os.mkdir(self.path("build"))
        self.build("ready")
        self.usual = dict(PATIENT)  # settings, unless a step has its own
        if proves:  # itself, by what is in the file, and by not dying for a moment
            self.verdict("exit 0")
            self.usual.update({"probe": "exec:/bin/sh %s,interval=10ms,timeout=%ds" % (self.path("verdict"), PATIENCE), "probation": "100ms"})
        self.proves = proves
        if self.udp:
            self.usual["udp-flow-timeout"] = "%dms" % (FLOW_TIMEOUT * 1000)
        if self.udp == "stays":
            self.usual["drain"] = "idle"
        self.settings = {**self.usual, "restart-delay": "10ms", "start-limit": "1000/1min", "workers": str(workers)}
        self.extra = []
        self.configure()
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name) + ".new", "w") as f:
            f.write(text)
        os.chmod(self.path(name) + ".new", mode)
        os.rename(self.path(name) + ".new", self.path(name))

    def build(self, *habits):
        """What the next generation will be; no habits: no program at all."""
        app = self.path("build/app")
        if not habits:
            os.unlink(app)
            return
        self.write("build/app", '#!/bin/sh\nexec "%s" %s\n' % (os.path.join(HERE, "worker.py"), " ".join(habits)), 0o755)

    def verdict(self, script):
        """What the probe of a candidate is, where there is one."""
        self.write("verdict", script + "\n", 0o755)

    def configure(self, *bad_lines):
        lines = ["command = " + self.path("build/app")]
        if not self.held and not self.adopted:
            lines.append("listen = 127.0.0.1:0,name=main")
            if self.udp:
                lines.append("listen = udp:127.0.0.1:0,name=udp")
        lines += ["%s = %s" % setting for setting in self.settings.items()]
        lines += ["listen = " + extra for extra in self.extra]
        self.write("graced.conf", "\n".join([*lines, *bad_lines]) + "\n")

    # ---- graced, and what it is asked --------------------------------------------------------------

    def environment(self):
        """Of whatever is started in this world."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("GRACED_", "LISTEN_"))}
        environment.update(CHAOS_DO=self.path("do"), CHAOS_WORLD=self.directory)
        if self.adopted:
            environment["CHAOS_ADDRESS"] = "%s:%d" % self.address
            if self.udp:
                environment["CHAOS_DATAGRAMS"] = "1"
        return environment

    def launch(self, *options, stderr=None):
        environment = {**self.environment(), "NOTIFY_SOCKET": self.manager.path}
        command = [GRACED, "run", "--name", "chaos", "--control", self.control, "--pid-file", self.path("pid"),
                   "--config", self.path("graced.conf"), *options]
        more = {"preexec_fn": self.start_as_found}
        if self.held:
            command = ["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", *command]
            environment.update(LISTEN_FDS="1", LISTEN_FDNAMES="main")
            more["pass_fds"] = (3,)
        self.manager.pending().clear()  # what the last one said
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, cwd=self.directory,
                                        stdout=subprocess.DEVNULL, stderr=stderr or self.stderr.writer, **more)
        self.pid = self.process.pid

    def start(self, *options, stderr=None):
        self.launch(*options, stderr=stderr)
        self.manager_hears("READY=1", "graced starts")
        self.status()
        self.is_followed()

    def is_followed(self):
        wait_until(lambda: self.follower.there, "graced is followed", lambda: self.follower.process.poll())
        must(not self.follower.wrong, "what happens is told as the schema says, and once", self.follower.wrong)

    def start_as_found(self):
        """What a starter leaves behind: the socket that it passes, and signals that it ignores or blocks."""
        if self.held:
            os.dup2(self.socket.fileno(), 3, inheritable=True)
        if self.starter == "ignores":
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        if self.starter == "blocks":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2, signal.SIGCONT])

    def manager_hears(self, words, promise):
        wait_until(lambda: words in "\n".join(self.manager.pending()), promise, self.stderr.last)

    def ask(self, command, *arguments, patience=PATIENCE, graced=GRACED):
        return subprocess.run([graced, command, "--control", self.control, *arguments], capture_output=True, text=True,
                              timeout=patience)

    def status(self):
        try:
            answer = self.ask("status", "--json", graced=LOOKS)
        except subprocess.TimeoutExpired:
            raise Broken("every asker is answered: status was not in %d s" % PATIENCE)
        must(answer.returncode == 0, "status can be had", answer.stderr)
        return json.loads(answer.stdout)

    def reload(self, expect=None, because=()):
        """Every asker gets exactly one answer, and it is the right one."""
        before = self.status()
        try:
            answer = self.ask("reload")
        except subprocess.TimeoutExpired:
            raise Broken("every asker is answered: a reload was not in %d s" % PATIENCE)
        if expect is None:
            must(answer.returncode in (0, 1), "a reload is done or it failed", answer.returncode, answer.stderr)
        else:
            must(answer.returncode == expect, "the asker is told how the reload went", answer.returncode, answer.stderr)
        if answer.returncode == 1:
            for word in because:
                must(word in answer.stderr, "the asker is told why the reload failed", word, answer.stderr)
            after = self.status()
            must(after["serving"] == before["serving"], "a failed reload changes nothing", before, after)
        return answer.returncode

    def serving(self):
        return [w["pid"] for w in self.status()["workers"] if w["state"] == "ready"]

    def pick(self, which, state="ready"):
        pids = [w["pid"] for w in self.status()["workers"] if w["state"] == state]
        return pids[which % len(pids)] if pids else None

    def tell(self, pid, what):
        """The worker's part of the fault; it may be gone already."""
        self.write("do", what)
        try:
            os.kill(pid, signal.SIGUSR2)
        except ProcessLookupError:
            pass

    # ---- load ----------------------------------------------------------------------------------------

    def where(self, name="main"):
        """The address that there always is, of TCP, or of UDP."""
        if self.adopted:
            return self.address
        if self.held:
            return self.socket.getsockname()
        return "127.0.0.1", int(next(a["address"] for a in self.status()["addresses"] if a["name"] == name).rpartition(":")[2])

    def begin_load(self):
        if self.udp:
            self.datagrams.begin(self.where("udp"))
        self.load = subprocess.Popen([LOAD, "--rate", "300", "--time", "1h", "--timeout", "20s", "--expect", "pid ",
                                      *(["--keep-alive"] if self.keep_alive else []), "%s:%d" % tuple(self.where())],
                                     stdout=subprocess.PIPE)

    def drop_load(self):
        """Nothing has happened to it yet."""
        if self.load:
            self.load.kill()
            self.load.communicate()
            self.load = None

    def end_load(self, explained):
        self.load.terminate()
        report, _ = self.load.communicate(timeout=PATIENCE)
        self.load = None
        report = json.loads(report)
        self.requests += report["requests"]
        failed = {kind: n for kind, n in report["failures"].items() if n and kind != "reused_eof"}
        must(not set(failed) - set(explained), "no request fails that the fault does not explain", failed, self.stderr.last())
        must(report["answered"] > 0 or "refused" in explained or report["requests"] < 3, "requests are answered", report)
        if self.udp:
            self.end_datagrams(explained)

    def end_datagrams(self, explained):
        if "refused" not in explained:
            settled = time.monotonic()
            wait_until(lambda: self.datagrams.is_answered(settled), "datagrams are answered", self.stderr.last)
        self.datagrams.end(not explained)
        self.requests += sum(len(flow.asked) for flow in self.datagrams.ended)
        batches, self.batches = self.batches, False
        if explained:
            return
        for flow in self.datagrams.ended:
            must(not flow.wrong, "no datagram has two answers", flow.wrong, self.stderr.last())
            must(not flow.lost(), "no datagram is lost", "%d of %d" % (flow.lost(), len(flow.asked)), self.stderr.last())
            strays = None if batches else astray(flow, self.follower.served)
            must(not strays, "a new flow goes to the newest", strays, self.follower.served[-5:], self.stderr.last())
            moves = [(a, b) for a, b in flow.moves() if self.adopted or a[1] != b[1]]  # else they share a socket
            must(self.udp == "moves" or not moves, "a flow stays where it began", moves, self.stderr.last())

    # ---- the promises ----------------------------------------------------------------------------------

    def settle(self):
        def settled():
            must(self.process.poll() is None, "graced stays", "it ended with %s" % self.process.returncode, self.stderr.last())
            status = self.status()
            calm = status["phase"] == "serving" and not status["reload_queued"] and status["next_restart_s"] is None
            states = [w["state"] for w in status["workers"]]
            return status if calm and states == ["ready"] * int(self.settings["workers"]) else None

        return wait_until(settled, "it comes to rest, with all its workers", lambda: (self.status(), self.stderr.last()))

    def check(self):
        must(self.process.poll() is None and self.process.pid == self.pid, "the PID never changes", self.process.returncode)
        self.stderr.reading.set()
        self.is_followed()
        status = self.settle()
        must(status["pid"] == self.pid, "status knows its PID", status["pid"])
        told = sorted(w["pid"] for w in status["workers"])
        # What a worker left behind is killed and reaped at once, but not in the same moment.
        wait_until(lambda: sorted(pid for pid, _ in children_of(self.pid)) == sorted(w["pid"] for w in self.status()["workers"]),
                   "status agrees with /proc", lambda: (told, children_of(self.pid)))
        stragglers = lambda: [p for p in marked(self.mark) if p != self.pid and p not in self.serving()]
        wait_until(lambda: not stragglers(), "nothing is left behind", stragglers)

        # Only the last word: a manager that does not listen for a while is not told of what is over.
        phases = lambda: [m for m in self.manager.pending() if m.startswith(("READY=1", "RELOADING=1"))]
        wait_until(lambda: not phases() or phases()[-1].startswith("READY=1"), "the manager is told that it is ready again",
                   lambda: phases()[-3:])
        with open(self.path("pid")) as f:
            must(int(f.read()) == self.pid, "the pid file is right")

        # A unix path is watched, which takes a descriptor; an abstract name is not.
        key = (len(told), *sorted(a["address"].partition("@")[0].partition(" ")[0] for a in status["addresses"]),
               any(a["address"].startswith("unix /") for a in status["addresses"]))
        # Where generations have sets of sockets of their own, these stay for later ones, eight sets at most, and so does the
        # map that tells the kernel which one it is.
        sets = not self.held and not self.adopted
        kept = lambda: {"anon_inode:bpf-map"} | (listening_sockets(self.pid) if sets else set())
        if sets:
            own = lambda: sorted(listening_sockets(self.pid).intersection(descriptors(self.pid).values()))
            wait_until(lambda: len(own()) <= 8 * len(status["addresses"]), "no more than eight sets of sockets are kept", own)

        def count():
            stays = kept()
            return sum(d not in stays for d in descriptors(self.pid).values())

        # The connection that asked for the status may not have been seen to end.
        least = self.baseline.setdefault(key, count())
        wait_until(lambda: count() <= least, "no descriptor is left open",
                   lambda: (least, descriptors(self.pid)))
        self.baseline[key] = min(least, count())
        self.resident.append(stat_of(self.pid)[2] * resource.getpagesize() // 1024)
        # Buffers grow once to what they had to hold; sanitizers keep what was freed.
        if not SANITIZED and len(self.resident) > 40:
            grown = min(self.resident[-10:]) - max(self.resident[10:30])
            must(grown < 4096, "memory does not grow", "%d kB more than after 30 steps" % grown)

    def stop(self):
        told = self.ask("stop")
        must(told.returncode == 0, "stop is answered", told.returncode, told.stderr, self.stderr.last())
        code = self.process.wait(PATIENCE)
        must(code == 0, "a stop that was asked for ends with 0", code, self.stderr.last())
        wait_until(lambda: not marked(self.mark), "nothing is left behind", lambda: marked(self.mark))
        wait_until(lambda: not self.follower.there, "its end is told to who follows it")
        left = {f for f in os.listdir(self.directory) if f.startswith(("control", "pid"))}
        must(not left, "nothing is left behind", left)

    def close(self):
        """However it went."""
        self.stderr.reading.set()
        self.follower.close()
        self.datagrams.end(False)
        self.drop_load()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in marked(self.mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        os.close(self.stderr.writer)
        self.stderr.thread.join(PATIENCE)
        os.close(self.stderr.reader)
        self.manager.close()
        if self.socket:
            self.socket.close()
        shutil.rmtree(self.directory, True)
