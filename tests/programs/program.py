"""Reloads of programs that know nothing of graced, as Debian has them, under load. Each has a network of
its own, so it can have its usual port."""
import ctypes, errno, importlib, inspect, json, os, shutil, signal, socket, statistics, subprocess, sys, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import own_network
from harness import GRACED, Case, alive, for_everybody, main, wait_until  # noqa: F401, re-exported
from load import LoadProcess

SERVERS = os.path.join(HERE, "servers")
BUILT = os.environ["GRACED_PROGRAMS"]
LOAD = os.environ["GRACED_LOAD"]
REDIS_LOAD = os.path.join(HERE, "redis_load.py")
RELOADS = int(os.environ.get("GRACED_RELOADS", "8"))
RESULTS = os.environ.get("GRACED_RESULTS")  # a line of JSON for each measurement goes there, for ./table

# What nobody may ever see. A kept connection that ends before any byte of an answer is soft: clients have to
# expect that of every server, and may ask again.
HARD = ("refused", "reset", "eof", "partial", "timeout", "http", "body", "local")
SOFT = ("reused_reset", "reused_eof")


def setUpModule():
    own_network.enter()


def found(program):
    """Where a program is; skips the test where it is not."""
    path = shutil.which(program)
    if not path:
        raise unittest.SkipTest("%s is not installed" % program)
    return path


def built(name):
    path = os.path.join(BUILT, name)
    if not os.path.exists(path):
        raise unittest.SkipTest("%s could not be built here" % name)
    return for_everybody(path) if os.path.isfile(path) else path


def built_32_bit(name):
    """A program for 32 bits; skips the test where the kernel runs none: it then refuses, or kills, whatever is started."""
    path = built(name)
    try:
        ended = subprocess.run([path, "-help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    except OSError as e:
        if e.errno != errno.ENOEXEC:
            raise
        raise unittest.SkipTest("this kernel runs no 32-bit programs: %s" % e.strerror)
    if ended < 0:
        raise unittest.SkipTest("this kernel runs no 32-bit programs: %s" % signal.Signals(-ended).name)
    return path


def parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def record(result):
    """For who reads the test's output, and for ./table."""
    print(json.dumps(result), file=sys.stderr)
    if RESULTS:
        with open(RESULTS, "a") as f:
            f.write(json.dumps(result) + "\n")


def each_program_again(ahead, prefix):
    """Test cases of all the others: `ahead` comes before each ProgramCase among its bases. Only reloads under load are asked
    for again: the other tests ask about what has nothing to do with it."""
    cases = {}
    for file in sorted(f for f in os.listdir(HERE) if f.endswith("_test.py") and f not in ("taken_test.py", "upgraded_test.py")):
        module = importlib.import_module(file.removesuffix(".py"))
        for name, case in vars(module).items():
            if isinstance(case, type) and issubclass(case, ProgramCase) and case.__module__ == module.__name__:
                others = {test: None for test, code in inspect.getmembers(case, inspect.isfunction)
                          if test.startswith("test") and "reloads_lose_nothing" not in inspect.getsource(code)}
                cases[prefix + name] = type(prefix + name, (ahead, case), others)
    return cases


class Load(LoadProcess):
    def __init__(self, case, where, *options, program=LOAD):
        super().__init__(program, *options, where)
        case.addCleanup(self.close)


class HttpQuestion:
    """A request in two parts: a worker that has the first one only has something to do."""
    begun, rest = b"GET / HTTP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n"

    @staticmethod
    def answer(s):
        text = b""
        while part := s.recv(65536):
            text += part
        return text.partition(b"\r\n\r\n")[2].decode()


class RedisQuestion:
    begun, rest = b"*2\r\n$4\r\nINFO\r\n$6\r\n", b"server\r\n"

    @staticmethod
    def answer(s):
        text = b""
        while not text.endswith(b"\r\n\r\n") and b"process_id:" not in text:
            part = s.recv(65536)
            if not part:
                break
            text += part
        return "pid %s" % text.decode().partition("process_id:")[2].split()[0]


class ProgramCase(Case):
    question = HttpQuestion
    how = "reloaded"  # ./table has a column for each
    reloads = RELOADS
    load_program = LOAD

    def setUp(self):
        super().setUp()
        self.first_workers = {}

    def program(self, *command, options=(), **more):
        """Nothing but the command. --drain-idle is short, so that no test is long; the file is for what
        changes on the way."""
        config = self.write("conf", "drain-timeout = 1min\n")
        return self.graced("--drain-idle", "200ms", "--config", config, *options, options=(), command=command, **more)

    def passed(self, address, *command, options=()):
        """Its address is graced's, and it is told to leave at once."""
        return self.graced("-l", address, "--config", self.write("conf", ""), *options, options=(), command=command)

    def as_nobody_for_good(self):
        """No capability, and no way to one."""
        self.as_nobody()
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS

    def load(self, where, *options):
        return Load(self, where, *options, program=self.load_program)

    def begin(self, address):
        """The first half of a question, on a connection of its own."""
        s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(s.close)
        s.settimeout(60)
        s.connect(address)
        s.sendall(self.question.begun)
        return s

    def finish(self, s):
        s.sendall(self.question.rest)
        answer = self.question.answer(s)
        s.close()
        return answer

    def answer(self, address):
        return self.finish(self.begin(address))

    def answered_by(self, g, answer):
        """The worker, a child of graced's, that answered or whose child did; None: a file did, as pid 0. Who cannot tell
        its PID says its generation."""
        self.assertRegex(answer, "^pid [0-9]")
        pid, generation = int(answer.split()[1]), answer.partition(" generation ")[2]
        if generation:
            self.first_workers.update({w["generation"]: w["pid"] for w in g.workers()})
            return self.first_workers[int(generation)]
        while pid > 1 and parent(pid) != g.pid:
            pid = parent(pid)
        return pid or None

    def one_serves(self, g):
        return wait_until(lambda: len(g.workers()) == 1 and g.workers("ready"), g.said)[0]["pid"]

    def reload(self, g):
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stderr + g.said())

    def two_generations_at_once(self, g, address):
        """While the old one has a request to finish every new connection goes to the new one."""
        old = self.one_serves(g)
        held = self.begin(address)
        self.reload(g)
        states = {w["pid"]: w["state"] for w in g.workers()}
        self.assertEqual(states.pop(old), "draining")
        (new, state), = states.items()
        self.assertEqual(state, "ready")
        for _ in range(20):
            self.assertIn(self.answered_by(g, self.answer(address)), (new, None))
        self.assertTrue(alive(old))
        self.assertIn(self.answered_by(g, self.finish(held)), (old, None))
        wait_until(lambda: not alive(old), g.said)

    def reloads_lose_nothing(self, g, address, keep_alive=True):
        """A connection for each request, kept ones with pauses, and then one that never pauses and so cannot
        be closed in peace: it ends with the drain timeout."""
        where = "unix:" + address if isinstance(address, str) else "%s:%d" % address
        how = () if self.load_program != LOAD else ("--expect", "pid ")
        loads = {"short": self.load(where, "--clients", "2", "--pause", "5ms", *how)}
        if keep_alive:
            loads["kept"] = self.load(where, "--keep-alive", "--clients", "8", "--pause", "600ms", *how)
        for load in loads.values():
            load.began()

        took = []
        for left in reversed(range(self.reloads)):
            self.reload(g)
            took.append(g.status()["last_reload"]["took_s"])
            if left % 2:
                self.one_serves(g)  # the others follow while an older one still drains
        self.one_serves(g)
        reports = {kind: load.report() for kind, load in loads.items()}
        if keep_alive:
            self.write("conf", "drain-timeout = 500ms\n")
            self.reload(g)
            self.one_serves(g)
            busy = self.load(where, "--keep-alive", "--clients", "1", *how)
            busy.began()
            for _ in range(2):
                self.reload(g)
                self.one_serves(g)
            reports["busy"] = busy.report()
        self.judge(g, reports, took)
        self.assertEqual(g.status()["pid"], g.pid)
        self.assertEqual(g.end(), 0, g.said())
        self.assert_nothing_left(g)

    def called(self):
        return self.id().split(".")[-1].removeprefix("test_").removesuffix("_in_flight")

    def judge(self, g, reports, took):
        counted = {kind: sum(r["failures"][kind] for r in reports.values()) for kind in HARD + SOFT}
        record({"program": self.called(), self.how: len(took),
                **{kind: r["answered"] for kind, r in reports.items()},
                "failures": {kind: n for kind, n in counted.items() if n},
                "median_s": statistics.median(took)})
        for kind, report in reports.items():
            self.assertGreaterEqual(report["answered"], 8, kind)  # each client at least once
            # The one that never pauses may wait for an answer, or have half of it, when its worker has to go.
            allowed = ("partial", "reset", "eof") if kind == "busy" else ()
            never = [f for f in HARD if f not in allowed]
            self.assertEqual({f: report["failures"][f] for f in never if report["failures"][f]}, {},
                             "%s: %s\n%s" % (kind, report, g.said()))
