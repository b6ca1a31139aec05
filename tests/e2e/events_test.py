"""`graced events`: what happens in all instances, as it happens; who reads it, and who does not. And the stages of a reload on
a terminal."""
import json, os, pty, re, signal, socket, struct, subprocess, threading, time, unittest

from harness import GRACED, PATIENCE, Case, become_nobody, main, wait_until
from alone import ALONE, can_be_alone
from schema import assert_valid

LONG = "100h"
RELOAD = ["preparing", "starting", "ready", "reloaded", "draining", "gone"]


class Follower:
    """graced events, and what it has said so far."""

    def __init__(self, words, env, within=(), **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        self.process = subprocess.Popen([*within, GRACED, "events", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env={**environment, **env}, **more)
        self.lines = []
        self.json = "--json" in words
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(assert_valid("event", json.loads(line)) if self.json else line)

    def words(self, name=None):
        return [e["event"] for e in list(self.lines) if name in (None, e["name"])]

    def first(self, event, name=None, after=0):
        """The first one from there on, once it has come."""
        def found():
            return next((e for e in self.lines[after:] if e["event"] == event and name in (None, e["name"])), None)
        return wait_until(found, lambda: "no %s of %s, only %s" % (event, name, self.lines[after:]))

    def wait(self):
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


class Followed(Case):
    def setUp(self):
        super().setUp()
        self.env = {"XDG_RUNTIME_DIR": self.path("run"), "RUNTIME_DIRECTORY": ""}

    def follow(self, *words, within=(), **more):
        follower = Follower(words, self.env, within, **more)
        self.addCleanup(follower.close)
        return follower

    def following(self, g, *words, **more):
        """Of this instance, and it is followed already."""
        follower = self.follow("--json", "--control", g.control, *words, **more)
        follower.first("instance-found")
        return follower

    def in_a_usual_place(self, g):
        os.makedirs(self.path("run/graced/" + g.name), exist_ok=True)
        if not os.path.islink(self.path("run/graced/%s/control" % g.name)):
            os.symlink(g.control, self.path("run/graced/%s/control" % g.name))
        return g


@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class All(Followed):
    def start(self, name):
        return self.in_a_usual_place(self.serving(name=name))

    def test_all_instances_are_followed_also_those_that_start_later(self):
        one = self.start("one")
        follower = self.follow("--json", within=ALONE)
        found = follower.first("instance-found", "one")
        self.assertEqual((found["serving"], found["outcome"]), (1, "ok"))
        self.assertEqual(follower.words("one"), ["instance-found"])  # what was before is not told

        two = self.start("two")
        follower.first("instance-found", "two")
        self.assertEqual(follower.first("serving", "two")["generation"], 1)  # however late it is found
        for g in (one, two):
            self.assertEqual(g.reload().returncode, 0)
            follower.first("gone", g.name)
            told = [word for word in follower.words(g.name) if word in RELOAD]
            self.assertEqual(told[-len(RELOAD):], RELOAD)

        one.end()
        follower.first("stopping", "one")
        self.assertEqual(follower.first("instance-gone", "one")["outcome"], "failed")
        before = len(follower.lines)
        os.unlink(one.manager.path)
        self.start("one")
        follower.first("instance-found", "one", before)
        follower.first("serving", "one", before)

        before = len(follower.lines)
        worker = two.workers()[0]["pid"]  # which nobody ends any more
        two.process.kill()
        follower.first("instance-gone", "two", before)
        os.killpg(worker, signal.SIGKILL)

    def test_only_those_that_are_named(self):
        one, two = self.start("one"), self.start("two")
        follower = self.follow("two", "three", "--json", within=ALONE)
        follower.first("instance-found", "two")
        for g in (one, two):
            self.assertEqual(g.reload().returncode, 0)
        self.start("three")
        follower.first("reloaded", "two")
        follower.first("serving", "three")
        self.assertEqual({e["name"] for e in follower.lines}, {"two", "three"})

    def test_a_name_that_the_directory_does_not_tell(self):
        g = self.serving(name="shop")
        os.makedirs(self.path("run/graced/elsewhere"))
        os.symlink(g.control, self.path("run/graced/elsewhere/control"))
        follower = self.follow("shop", "--json", "--until", "instance-found", "--timeout", LONG, within=ALONE)
        self.assertEqual(follower.wait(), 0)
        self.assertEqual(follower.words("shop"), ["instance-found"])


class One(Followed):
    def test_it_ends_with_the_event_that_is_waited_for(self):
        g = self.switchable()
        follower = self.following(g, "--until", "reload-failed,reloaded", "--timeout", LONG)
        self.become("say=no-config", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        self.assertEqual(follower.wait(), 0)
        failed = follower.lines[-1]
        self.assertEqual((failed["event"], failed["generation"], failed["serving"], failed["outcome"]), ("reload-failed", 2, 1, "failed"))
        self.assertRegex(failed["reason"], r"^exited with status 3")
        self.assertEqual(failed["last_lines"], ["no-config"])
        self.assertEqual(failed["by"]["how"], "control")

    def test_a_time_that_is_over(self):
        g = self.serving()
        late = self.following(g, "--until", "reloaded", "--timeout", "1s")
        self.assertEqual(late.wait(), 1)
        self.assertEqual(late.process.stderr.read(), "graced: no reloaded within 1s\n")
        self.assertEqual(self.follow("--control", self.path("none"), "--timeout", "1ms").wait(), 0)

    def test_ctrl_c_and_a_reader_that_has_gone(self):
        g = self.serving()
        follower = self.following(g)
        follower.process.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(), -signal.SIGINT)
        reader, writer = os.pipe()
        gone = subprocess.Popen([GRACED, "events", "--control", g.control], stdout=writer, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: gone.poll() is None and gone.kill())
        os.close(writer)
        os.read(reader, 1)  # it follows
        os.close(reader)
        self.assertEqual(gone.wait(PATIENCE), 0)

    def test_a_sentence_a_line_for_people(self):
        g = self.serving("--check", "/bin/true")
        follower = self.follow("--control", g.control, "--until", "gone")
        wait_until(lambda: follower.lines)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(follower.wait(), 0)
        said = "".join(follower.lines)
        self.assertRegex(said, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  t: is followed, generation 1 serves\n")
        for sentence in ("generation 2 is prepared; asked at the control socket by ", "generation 2 is checked\n",
                         "generation 2 is started\n", "generation 2 serves after ", "generation 1 gets no new connections", "generation 1 is gone\n"):
            self.assertIn("  t: " + sentence, said)

    def test_a_crash_and_who_serves_then(self):
        g = self.serving("-w", "2", "--restart-delay", "1ms")
        follower = self.following(g)
        pid = g.workers("ready")[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        crashed = follower.first("crashed")
        self.assertEqual((crashed["worker_pid"], crashed["signal"], crashed["status"], crashed["by"]), (pid, "SIGKILL", None, None))
        follower.first("degraded")
        follower.first("recovered")

    def test_a_reader_that_does_not_read_costs_graced_nothing(self):
        g = self.serving("--check", "/bin/false")
        def connections():
            """That graced has accepted, also those whose client has just ended."""
            with open("/proc/%d/net/unix" % g.pid) as f:
                return sum(line.split()[5:6] == ["03"] and line.rstrip().endswith(" " + g.control) for line in f)

        def memory():
            with open("/proc/%d/status" % g.pid) as f:
                return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

        self.assertEqual(g.reload().returncode, 1)
        follower = self.following(g)
        self.assertGreater(connections(), 0)
        follower.process.send_signal(signal.SIGSTOP)
        before, reloads = memory(), 0
        slowest = 0
        while connections() > 0:
            begun = time.monotonic()
            self.assertEqual(g.reload().returncode, 1)
            slowest, reloads = max(slowest, time.monotonic() - begun), reloads + 1
            self.assertLess(reloads, 3000, "it is never hung up on")
            wait_until(lambda: connections() < 2, g.said)
        if os.environ.get("GRACED_SANITIZED") != "1":  # which keeps what was freed
            self.assertLess(memory() - before, 4096, "kB for %d reloads that nobody reads of" % reloads)
        self.assertLess(slowest, 10)
        follower.process.send_signal(signal.SIGCONT)
        follower.first("events-missed")
        follower.first("instance-found", after=1)
        after = len(follower.lines)
        self.assertEqual(g.reload().returncode, 1)
        self.assertEqual(follower.first("reload-failed", after=after)["serving"], 1)
        self.assertNotIn("instance-gone", follower.words())
        failed = [e["generation"] for e in follower.lines if e["event"] == "reload-failed"]
        self.assertEqual(failed, sorted(set(failed)), "each is told once")

    @unittest.skipIf(os.geteuid() != 0, "becomes another user")
    def test_other_users_see_states_and_no_secrets(self):
        os.chmod(self.directory, 0o755)
        g = self.switchable("--check", "/bin/sh -c 'exit 0; password:1234'", "--env", "SECRET=password:1234")
        follower = self.following(g, preexec_fn=become_nobody, cwd="/")
        self.become("say=password:1234", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        failed = follower.first("reload-failed")
        self.assertEqual((failed["generation"], failed["last_lines"]), (2, []))
        self.assertIn("exited with status 3", failed["reason"])
        self.assertNotIn("1234", json.dumps(follower.lines))
        for words in (("status",), ("status", "--json"), ("history",), ("history", "--json"), ("status", "--ready")):
            told = g.run(*words, preexec_fn=become_nobody, cwd="/")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertNotIn("1234", told.stdout + told.stderr)
        status = json.loads(g.run("status", "--json", preexec_fn=become_nobody, cwd="/").stdout)
        assert_valid("status", status)
        self.assertEqual((status["phase"], status["serving"], status["command"], status["workers_asked"]), ("serving", 1, None, 1))
        self.assertEqual(status["last_reload"]["why"].splitlines()[1:], [])
        mine = assert_valid("status", g.status())
        self.assertIn("password:1234", mine["last_reload"]["why"])
        self.assertTrue(mine["command"])


class OtherVersion(Case):
    """A graced that was started before an upgrade, or after."""

    def setUp(self):
        super().setUp()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path("control"))
        self.listening.listen()
        self.addCleanup(self.listening.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            with client:
                self.talk(client)

    def talk(self, client):
        """Bytes of D-Bus: as much of it as these questions need."""
        said = b""

        def read(most, enough):
            nonlocal said
            while not enough():
                more = client.recv(4096)
                if not more:
                    raise EOFError
                said += more
            part, said = said[:most()], said[most():]
            return part

        try:
            read(lambda: said.index(b"BEGIN\r\n") + 7, lambda: b"BEGIN\r\n" in said)
            client.sendall(b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n")
            while True:
                head = read(lambda: 16, lambda: len(said) >= 16)
                body, serial, fields = struct.unpack("<4xIII", head)
                length = (fields + 7) // 8 * 8 + body
                rest = read(lambda: length, lambda: len(said) >= length)
                client.sendall(self.answer(rest, serial))
        except (EOFError, OSError):
            pass

    def answer(self, question, serial):
        kind, fields = 2, b"\5\1u\0" + struct.pack("<I", serial)
        if b"Subscribe" in question:
            signature, body = b"st", struct.pack("<I", 4) + b"shop\0" + b"\0" * 7 + struct.pack("<Q", 3)
        elif b"History" in question:
            signature, body = b"as", struct.pack("<I", 0)
        else:
            kind, signature, body = 3, b"", b""
            fields += b"\4\1s\0" + struct.pack("<I", 5) + b"a.Bad\0"
            fields += b"\0" * (-len(fields) % 8)
        if signature:
            fields += b"\10\1g\0" + bytes([len(signature)]) + signature + b"\0"
        padding = b"\0" * (-len(fields) % 8)
        return struct.pack("<cBBBIII", b"l", kind, 1, 1, len(body), serial, len(fields)) + fields + padding + body

    def test_what_cannot_be_read_is_said(self):
        r = self.run_graced("history", "--control", self.path("control"))
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertIn("it runs another version, whose history cannot be read", r.stderr)
        r = self.run_graced("events", "--control", self.path("control"), "--timeout", "1s")
        self.assertEqual((r.returncode, r.stdout), (0, ""))
        self.assertEqual(r.stderr, "graced: '%s' tells no events that can be read here: it runs another version\n" % self.path("control"))


class Stages(Case):
    """graced reload where somebody looks."""

    def reload(self, g, term, *words):
        """All that the terminal has got, once it has ended; `check` passes when the test says so."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(GRACED, [GRACED, "reload", "--control", g.control, *words], {"TERM": term, "PATH": os.environ["PATH"]})
        said = [b""]

        def read():
            try:
                while more := os.read(terminal, 65536):
                    said[0] += more
            except OSError:
                pass

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        return pid, terminal, reader, said

    def checked(self):
        os.mkfifo(self.path("go"))
        return self.serving("--check", self.write("check", '#!/bin/sh\nread word <"%s"\nexit "$word"\n' % self.path("go"), 0o755))

    def go(self, status):
        with open(self.path("go"), "w") as f:
            f.write("%d\n" % status)

    def ended(self, pid, terminal, reader):
        _, status = os.waitpid(pid, 0)
        reader.join(PATIENCE)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status)

    def test_its_stages_are_one_line_that_goes_away(self):
        g = self.checked()
        pid, terminal, reader, said = self.reload(g, "xterm")
        wait_until(lambda: b"t: generation 2 is checked" in said[0], lambda: said[0])
        wait_until(lambda: b"(1 s)" in said[0], lambda: said[0])
        self.go(0)
        self.assertEqual(self.ended(pid, terminal, reader), 0)
        text = said[0].decode()
        self.assertTrue(text.endswith("\r\x1b[Kt: generation 2 serves\r\n"), text)
        self.assertEqual(text.count("\n"), 1)
        self.assertIn("\r\x1b[Kt: generation 2 is started", text)

    def test_a_failure_is_told_after_it(self):
        g = self.checked()
        pid, terminal, reader, said = self.reload(g, "xterm")
        self.go(7)
        self.assertEqual(self.ended(pid, terminal, reader), 1)
        self.assertIn("\r\x1b[Kgraced: reload of 't' failed: check: exited with status 7", said[0].decode())

    def test_a_terminal_that_cannot_do_that_gets_the_outcome_alone(self):
        g = self.checked()
        pid, terminal, reader, said = self.reload(g, "dumb")
        self.go(0)
        self.assertEqual(self.ended(pid, terminal, reader), 0)
        self.assertEqual(said[0].decode(), "t: generation 2 serves\r\n")
        piped = threading.Timer(0, self.go, (0,))
        piped.start()
        answer = g.reload()
        piped.join()
        self.assertEqual((answer.stdout, answer.stderr), ("t: generation 3 serves\n", ""))


if __name__ == "__main__":
    main()
