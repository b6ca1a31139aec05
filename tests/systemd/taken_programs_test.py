"""Each program that tests/programs has, as a service of systemd that is always restarted: graced@demo takes it over under
load, after a first try that fails."""
import os, re, socket
from machine import PATIENCE, main, read, run, wait_until, write
from listening import shown, sockets_of
from load import LoadProcess
from old_service import OLD, OldService, show
from programs import ALONE_ON_UDP, NOT_HERE, PROGRAMS, SHARES_UDP, TABLE

# What no client may ever see; a kept connection that ends before any byte of an answer is to be expected of every server.
HARD = ("refused", "reset", "eof", "partial", "timeout", "http", "body", "local")
IDLE = 20
SICK = "probe = exec:/bin/false,interval=50ms,timeout=%ds" % PATIENCE  # its address is bound, and nobody gets it


class Service(OldService):
    def clean(self):
        super().clean()
        run("systemctl", "stop", "beside.service", ok=False)

    def begin(self, program):
        """The old one serves; what starts it, and its main PID."""
        self.program = program
        self.address = ("127.0.0.1", program.asked or program.port)
        self.command = program.prepare()
        if program.beside:
            write("/etc/systemd/system/beside.service", "[Service]\nExecStart=%s/beside\n" % program.directory)
            run("systemctl", "daemon-reload")
            run("systemctl", "start", "beside.service")
        return self.start_old(*program.unit, command=self.command)

    def configure(self, *lines):
        write(self.config, "\n".join(["take = old", "command = " + self.command, "drain-idle = 200ms", "ready-timeout = %ds" % PATIENCE,
                                      *self.program.options, *lines]) + "\n")

    def answers(self):
        try:
            with self.asking() as s:
                return self.is_good(s.recv(100))
        except OSError:
            return False

    def is_good(self, answer):
        """One that stands before another may answer before that one does."""
        return bool(answer) and not answer.startswith(b"HTTP/1.1 5")

    def asking(self):
        s = socket.create_connection(self.address, PATIENCE)
        s.sendall(self.program.question)
        return s

    def loads(self):
        """Short connections, kept ones with pauses, and kept ones that nobody uses any more."""
        where = "%s:%d" % self.address
        loads = [LoadProcess(self.program.load, *how, where)
                 for how in (("--clients", "2", "--pause", "5ms"), ("--keep-alive", "--clients", "8", "--pause", "600ms"))]
        idle = [self.asking() for _ in range(IDLE * self.program.keeps)]
        for client in (*loads, *idle):
            self.addCleanup(client.close)
        for load in loads:
            load.began()
        for s in idle:
            self.assertTrue(self.is_good(s.recv(65536)))
        return loads, idle

    def state(self):
        """Of all that listens, as ss and as the server itself have it."""
        pids = map(int, read("/sys/fs/cgroup/system.slice/old.service/cgroup.procs").split())
        sockets = {pid: sockets_of(pid) for pid in pids}
        self.assertIn(self.program.port, [address[1] for of_one in sockets.values() for address, *_ in of_one])
        return shown(), sockets

    def try_in_vain(self, pid, *lines):
        before = self.state()
        self.configure(*lines)
        self.assertNotEqual(self.systemctl("start", self.unit, ok=False).returncode, 0)
        wait_until(lambda: self.show("ActiveState") != "deactivating", self.journal)
        self.assert_untouched(pid)
        self.assertIn("serves on, as before", self.journal())
        self.assertEqual(self.state(), before)
        self.systemctl("reset-failed", self.unit)

    def end_idle(self, s):
        """The end, or the rest of the answer before it; not ECONNRESET."""
        while s.recv(65536):
            pass


class TakenPrograms(Service):
    def takes(self, program):
        old = self.begin(program)
        loads, idle = self.loads()
        self.drop_in("[Service]\nRestart=no\n")
        self.try_in_vain(old, SICK)

        self.configure()
        started = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(started.returncode, 0, self.journal())
        for s in idle:
            self.end_idle(s)
        self.assert_taken(old)
        for _ in range(3):
            reloaded = self.systemctl("reload", self.unit, ok=False)
            self.assertEqual(reloaded.returncode, 0, self.journal())
        wait_until(lambda: [w["state"] for w in self.status()["workers"]] == ["ready"], self.journal)
        for load in loads:
            report = load.report()
            self.assertEqual({f: report["failures"][f] for f in HARD if report["failures"][f]}, {}, report)
            self.assertGreater(report["answered"], 10)
        self.assertEqual((show(OLD, "ActiveState"), show(OLD, "NRestarts")), ("inactive", "0"))
        self.systemctl("stop", self.unit)
        self.assertEqual(self.show("Result"), "success")

    def test_all_programs_are_here(self):
        files = {f.removesuffix("_test.py") for f in os.listdir(PROGRAMS) if f.endswith("_test.py")}
        self.assertEqual({p.of for p in TABLE + ALONE_ON_UDP + SHARES_UDP} | NOT_HERE.keys(), files)


class TakenWithUdp(Service):
    def answers(self):
        return bool([line for line in shown() if re.search(r":%d " % self.program.port, line)])

    def begin_warned(self, program, warning):
        """It is said beforehand."""
        old = self.begin(program)
        self.warning = "UDP port %d is not taken: PID %d (%s) has it until its end, and a new worker that binds it %s" % (
            program.port, old, read("/proc/%d/comm" % old).strip(), warning)
        self.drop_in("[Service]\nRestart=no\n")
        self.configure()
        self.assertIn(self.warning, run("graced", "check", "--config", self.config, ok=False).stdout)
        return old

    def fails(self, program):
        old = self.begin_warned(program, "fails")
        self.try_in_vain(old)
        self.assertIn(self.warning, self.journal())

    def takes(self, program):
        old = self.begin_warned(program, "as well gets datagrams at once, ready or not")
        self.try_in_vain(old, SICK)
        self.configure()
        started = self.systemctl("start", self.unit, ok=False)
        self.assertEqual(started.returncode, 0, self.journal())
        self.assert_taken(old)
        self.assertIn(self.warning, self.journal())


def test_of(how, program):
    return lambda self: getattr(self, how)(program)


for p in TABLE:
    setattr(TakenPrograms, "test_" + p.name, test_of("takes", p))
for p in ALONE_ON_UDP:
    setattr(TakenWithUdp, "test_" + p.name, test_of("fails", p))
for p in SHARES_UDP:
    setattr(TakenWithUdp, "test_" + p.name, test_of("takes", p))


if __name__ == "__main__":
    main()
