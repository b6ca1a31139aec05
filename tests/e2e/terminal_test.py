"""graced on a terminal: its keys, its end, and workers that want it. And signals that come from elsewhere."""
import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time
from harness import Case, GRACED, Manager, PATIENCE, WORKER, alive, children, main, wait_until

# As a shell that has job control: runs a command in the foreground, says when it stops and how it ends.
SHELL = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def foreground():
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
job = subprocess.Popen(sys.argv[1:], preexec_fn=foreground)
while True:
    _, status = os.waitpid(job.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    os.tcsetpgrp(0, os.getpgrp())
    print("the job stopped", flush=True)
    input()
    os.tcsetpgrp(0, job.pid)
    os.killpg(job.pid, signal.SIGCONT)
print("the job ended with", os.waitstatus_to_exitcode(status), flush=True)
"""


def state(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0]


class Terminal(Case):
    def start(self, *command, options=("-l", "127.0.0.1:0"), before=()):
        """graced as a job on a terminal of its own."""
        self.manager = Manager(self.path("manager"))
        self.addCleanup(self.manager.close)
        self.control = self.path("control")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        environment["NOTIFY_SOCKET"] = self.manager.path
        words = [GRACED, "run", "--control", self.control, *options, "--", *command]
        shell, self.terminal = pty.fork()
        if shell == 0:
            os.execve(sys.executable, [sys.executable, "-c", SHELL, *before, *words], environment)
        self.shown = ""
        self.addCleanup(self.end, shell)

    def end(self, shell):
        if self.terminal is not None:
            os.close(self.terminal)
        for pid in children(shell):
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)

    def wait(self, pattern):
        self.manager.wait(pattern)

    def shows(self, words):
        end = time.monotonic() + PATIENCE
        while words not in self.shown:
            self.assertLess(time.monotonic(), end, self.shown)
            if select.select([self.terminal], [], [], 1)[0]:
                self.shown += os.read(self.terminal, 65536).decode()

    def status(self):
        r = subprocess.run([GRACED, "status", "--json", "--control", self.control], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def test_ctrl_z_stops_graced_and_its_workers_and_fg_goes_on(self):
        self.start(WORKER, "ready", "serve")
        self.wait("READY=1")
        status = self.status()
        worker = status["workers"][0]["pid"]
        os.write(self.terminal, b"\x1a")
        self.shows("the job stopped")
        self.assertEqual(state(status["pid"]), "T")
        wait_until(lambda: state(worker) == "T")
        self.assertIn("stopped by the terminal, with all workers", self.shown)
        os.write(self.terminal, b"fg\n")
        self.shows("continued, with all workers")
        wait_until(lambda: state(worker) != "T")
        self.assertEqual(self.status()["workers"][0]["pid"], worker)
        os.write(self.terminal, b"\x03")
        self.shows("the job ended with 0")

    def test_graced_stops_when_its_terminal_is_closed(self):
        self.start(WORKER, "ready", "serve")
        self.wait("READY=1")
        status = self.status()
        os.close(self.terminal)
        self.terminal = None
        self.wait("STOPPING=1")
        wait_until(lambda: not alive(status["pid"]) and not alive(status["workers"][0]["pid"]))

    def test_below_nohup_it_goes_on_when_its_terminal_is_closed(self):
        self.start(WORKER, "ready", "serve", before=("sh", "-c", "trap '' HUP; exec \"$@\" 2>%s" % self.path("log"), "sh"))
        self.wait("READY=1")
        pid = self.status()["pid"]
        os.close(self.terminal)
        self.terminal = None

        def log():
            with open(self.path("log")) as f:
                return f.read()

        wait_until(lambda: "the terminal is gone; going on" in log(), log)
        self.assertEqual(self.status()["serving"], 1)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid))

    def test_a_worker_that_wants_the_terminal_is_said_to_be_stopped_and_by_what(self):
        self.start("sh", "-c", "read x </dev/tty", options=("--adopt", "off"))
        self.shows("stopped by SIGTTIN (it wants the terminal, which is graced's)")
        self.assertEqual(self.status()["workers"][0]["waits_for"], "stopped by SIGTTIN")
        shown = subprocess.run([GRACED, "status", "--control", self.control], capture_output=True, text=True, timeout=PATIENCE)
        self.assertIn("stopped by SIGTTIN", shown.stdout)

    def test_a_start_that_fails_as_the_worker_is_stopped_says_so(self):
        self.start("sh", "-c", "stty -echo </dev/tty; exec sleep 600", options=("--adopt", "off", "--ready-timeout", "8s"))
        self.shows("not ready within 8s: stopped by SIGTTOU")


class Signals(Case):
    def test_it_stops_on_what_init_systems_send_in_the_place_of_sigterm(self):
        for signo in (signal.SIGPWR, signal.SIGRTMIN + 3):
            g = self.serving(name="on%d" % signo)
            self.assertEqual(g.end(signo), 0)

    def test_a_signal_that_means_nothing_is_told_once(self):
        g = self.serving()
        for _ in range(3):
            g.signal(signal.SIGWINCH)
            wait_until(lambda: "SIGWINCH received from PID %d" % os.getpid() in g.said())
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.said().count("SIGWINCH"), 1, g.said())

    def test_a_stop_signal_that_comes_from_elsewhere_is_passed_on(self):
        g = self.serving()
        worker = g.workers()[0]["pid"]
        g.signal(signal.SIGTSTP)
        wait_until(lambda: state(worker) == "T")
        wait_until(lambda: g.workers()[0]["waits_for"] == "stopped by SIGTSTP")
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: g.workers()[0]["waits_for"] == "")
        self.assertIn("goes on", g.said())
        self.assertIn("generation 1", g.ask())


class Output(Case):
    def on_terminal(self, columns, *words, **variables):
        """What is written to a terminal so wide."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        process = subprocess.Popen([GRACED, *words], stdin=subprocess.DEVNULL, stdout=slave,
                                   env={**environment, "TERM": "xterm", **variables})
        os.close(slave)
        said = b""
        try:
            while part := os.read(master, 65536):
                said += part
        except OSError:
            pass  # nobody has it open any more
        os.close(master)
        self.assertEqual(process.wait(PATIENCE), 0)
        return said.decode().replace("\r\n", "\n")

    def test_help_is_as_wide_as_the_terminal(self):
        widest = lambda text: max(map(len, text.splitlines()))
        for columns in 72, 80, 96:
            with self.subTest(columns):
                text = self.on_terminal(columns, "run", "--help")
                self.assertLessEqual(widest(text), columns)
                self.assertGreater(widest(text), columns - 8)
        self.assertLessEqual(widest(self.on_terminal(200, "run", "--help")), 100)
        self.assertLessEqual(widest(self.on_terminal(96, "--help", COLUMNS="72")), 72)
        environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
        piped = subprocess.run([GRACED, "run", "--help"], capture_output=True, text=True, env=environment).stdout
        self.assertLessEqual(widest(piped), 80)

    def test_colours_are_for_terminals_that_want_them(self):
        g = self.serving()
        status = ["status", "--control", g.control]
        self.assertIn("\x1b[", self.on_terminal(100, *status))
        self.assertNotIn("\x1b[", self.on_terminal(100, *status, TERM="dumb"))
        self.assertNotIn("\x1b[", self.on_terminal(100, *status, NO_COLOR="1"))
        self.assertNotIn("\x1b[", g.run("status").stdout)


if __name__ == "__main__":
    main()
