"""graced that is upgraded in place: other images for it, good and bad, and what must be as it was before."""
import json, os, re, shutil, subprocess, threading, time

from harness import GRACED, PATIENCE, Case, descriptors, for_everybody, wait_until

BUILD = os.path.dirname(os.path.dirname(os.path.abspath(os.environ["GRACED_BINARY"])))
PROGRAMS = os.environ.get("GRACED_UPGRADE_PROGRAMS", os.path.join(BUILD, "tests", "upgrade"))
NEXT = for_everybody(os.path.join(PROGRAMS, "graced_next"))  # another version
NEXT_VERSION = "0.2.0+next"
VARIANT = b"graced-variant:"

# Each image has its own: what a loop is made of, and what is watched by name.
OF_THE_IMAGE = {"anon_inode:[eventpoll]", "anon_inode:[timerfd]", "anon_inode:[signalfd]", "anon_inode:inotify"}
# What passes, what was counted by somebody else, and what an upgrade is to change.
PASSES = re.compile(r"_s$|^(version|upgraded.*|upgrades|failed_upgrades|last_upgrade|memory|quiet_s|queued)$")


def bad_image(path, how):
    """A program that is bad in this way when it is tried or is to take over."""
    with open(os.path.join(PROGRAMS, "bad_successor"), "rb") as f:
        program = bytearray(f.read())
    at = program.index(VARIANT)
    words = VARIANT + how.encode() + b"\0"
    program[at:at + len(words)] = words
    with open(path, "wb") as f:
        f.write(program)
    os.chmod(path, 0o755)
    return path


def sockets_with_an_address(pid):
    """Inodes of those that others know by an address: what talks to the kernel, a manager or a client is made anew."""
    found = set()
    for table, at in ("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9):
        with open("/proc/%d/net/%s" % (pid, table)) as f:
            found.update(fields[at] for fields in map(str.split, f))
    with open("/proc/%d/net/unix" % pid) as f:
        for fields in map(str.split, f):
            if len(fields) == 8 and fields[5] != "03":  # it has a name, and is no connection
                found.add(fields[6])
    return found


def open_files(pid):
    """What graced holds, each with its inode, but for what every image makes anew: of that its kind only."""
    known = sockets_with_an_address(pid)
    found = []
    for target in descriptors(pid).values():
        if target in OF_THE_IMAGE:
            continue
        inode = re.match(r"socket:\[(\d+)\]", target)
        found.append("a socket" if inode and inode[1] not in known else target)
    # Both ends are graced's: it is of a connection at the control socket.
    return sorted("a pipe of its own" if target.startswith("pipe:") and found.count(target) > 1 else target for target in found)


def lasting(status):
    """What an upgrade must not change of a status."""
    if isinstance(status, dict):
        return {key: lasting(value) for key, value in status.items() if not PASSES.search(key)}
    if isinstance(status, list):
        return [lasting(value) for value in status]
    return status


class UpgradeCase(Case):
    def upgrade(self, g, binary=NEXT, *options):
        return g.run("upgrade", "--binary", binary, *options)

    def upgraded(self, g, binary=NEXT):
        """And it was."""
        answer = self.upgrade(g, binary)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr + g.said())
        self.assert_image(g, binary)
        return answer

    def assert_image(self, g, binary):
        self.assertTrue(os.path.samefile("/proc/%d/exe" % g.pid, binary), os.readlink("/proc/%d/exe" % g.pid))
        self.assertIsNone(g.process.poll(), g.said())

    def upgrading(self, g, binary=NEXT, *options):
        """An upgrade that is asked for, and not waited for."""
        p = subprocess.Popen([GRACED, "upgrade", "--control", g.control, "--binary", binary, *options], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.communicate()))
        return p

    def done(self, process, code=0):
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, code, out + err)
        return out + err

    def history(self, g):
        answer = g.run("history", "--json")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return json.loads(answer.stdout)["history"]

    def kinds(self, g):
        return [event["event"] for event in self.history(g)]

    def came_to_rest(self, g, seen=lambda: True):
        """The status, once it says the same twice and nobody else is connected."""
        last = []

        def calm():
            status = lasting(g.status())
            last.append((status, open_files(g.pid)))
            return len(last) > 1 and last[-1] == last[-2] and seen() and last[-1]

        return wait_until(calm, lambda: "%r\n%r" % (last[-2:], g.said()))

    def assert_as_before(self, g, before):
        """before: what came_to_rest() gave."""
        status, files = before
        self.assertEqual(lasting(g.status()), status)
        wait_until(lambda: open_files(g.pid) == files, lambda: "%r, not %r" % (open_files(g.pid), files))

    def deadlines(self, g, generations=None):
        """By PID, the earliest and the latest instant at which the limit of each worker (of these generations) can be, by
        what status says."""
        early = time.monotonic()
        workers = g.workers()
        late = time.monotonic()
        return {w["pid"]: (early + w["left_s"], late + w["left_s"]) for w in workers
                if w["left_s"] is not None and (generations is None or w["generation"] in generations)}

    def assert_deadlines_kept(self, before, after, by=0.05):
        self.assertEqual(before.keys(), after.keys())
        for pid, (early, late) in before.items():
            self.assertLess(early - by, after[pid][1], (pid, before, after))
            self.assertLess(after[pid][0], late + by, (pid, before, after))


class Window:
    """Holds graced in the exec by which another image takes its place, so that things happen there: before (enter) or
    after (exit) the kernel has done it."""

    def __init__(self, case, g, where, patience="3000000"):
        if not shutil.which("strace"):
            case.skipTest("strace, which holds the window open, is not installed")
        self.case, self.g, self.where = case, g, where
        self.image = os.readlink("/proc/%d/exe" % g.pid)
        self.process = subprocess.Popen(["strace", "-o", case.path("strace"), "-e", "trace=execveat", "-e",
                                         "inject=execveat:delay_%s=%s" % (where, patience), "-p", str(g.pid)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        case.addCleanup(self.close)
        traced = lambda: "TracerPid:\t%d\n" % self.process.pid in self.status()
        wait_until(lambda: traced() or self.process.poll() is not None)
        if not traced():
            case.skipTest("strace may not trace here: " + self.process.stderr.read().strip())

    def status(self):
        with open("/proc/%d/status" % self.g.pid) as f:
            return f.read()

    def is_held(self):
        """strace holds it, in the call or behind it."""
        with open("/proc/%d/syscall" % self.g.pid) as f:
            number = f.read().split()[0]
        image = os.readlink("/proc/%d/exe" % self.g.pid)
        there = number == EXECVEAT.get(os.uname().machine) if self.where == "enter" else image != self.image
        return there and re.search(r"^State:\tt", self.status(), re.M) is not None

    def is_open(self):
        wait_until(self.is_held, self.g.said)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate()


EXECVEAT = {"x86_64": "322", "aarch64": "281"}


class Askers:
    """Who asks for the status all the time, each as soon as it has its answer."""

    def __init__(self, g, many=2):
        self.g = g
        self.asked = 0
        self.wrong = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(many)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while not self.over.is_set():
            answer = self.g.run("status", "--json")
            self.asked += 1
            if answer.returncode != 0:
                self.wrong.append(answer.stderr)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
