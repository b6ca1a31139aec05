"""--output prefix: each line of a worker's says who says it; and what `graced logs` tells of them."""
import json, os, re, select, signal, socket, subprocess, unittest
from harness import GRACED, PATIENCE, WORKER, Case, become_nobody, main, wait_until

# A worker that says READY=1 and then does what follows.
APP = """#!/usr/bin/python3 -SE
import os, select, signal, socket, sys
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"])

def say(text):
    while text:
        text = text[os.write(1, text):]
"""


class Output(Case):
    def text(self, name="out"):
        with open(self.path(name), "rb") as f:
            return f.read()

    def to_file(self, name="out"):
        """As preexec: stdout is this file."""
        file = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.addCleanup(os.close, file)
        return lambda: os.dup2(file, 1)

    def prefixed(self, *options, habits=("ready", "serve"), **more):
        return self.switchable("--output", "prefix", *options, habits=habits, preexec=self.to_file(), **more)

    def script(self, body, *options, output="prefix", **more):
        """graced with a worker that runs this."""
        more.setdefault("preexec", self.to_file())
        return self.graced("--ready", "notify", "--output", output, *options, command=(self.write("app", APP + body, 0o755),), **more)

    def lines(self, said):
        """Of graced's stderr those that workers said, without who said them."""
        return re.findall(r"^generation \d+, worker \d+, PID \d+: (.*)$", said, re.M)


class Prefixed(Output):
    def test_each_line_says_generation_worker_and_pid_and_goes_where_it_went(self):
        g = self.prefixed(habits=("say=err", "tell=out", "ready", "serve"))
        pid = g.workers()[0]["pid"]
        wait_until(lambda: b"out" in self.text() and "err\n" in g.said(), g.said)
        self.assertEqual(self.text(), b"generation 1, worker 0, PID %d: out\n" % pid)
        self.assertIn("\ngeneration 1, worker 0, PID %d: err\n" % pid, g.said())
        self.assertEqual(g.workers()[0]["last_lines"], ["out", "err"])
        self.become("tell=new", "ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: b"generation 2, worker 0, PID %d: new\n" % g.workers("ready")[0]["pid"] in self.text())
        self.assertEqual(g.end(), 0)

    def test_the_time_comes_first_where_it_is_asked_for(self):
        g = self.serving("--output", "prefix-time", habits=("say=hello", "ready", "serve"))
        wait_until(lambda: re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z generation 1, worker 0, PID \d+: hello$", g.said(), re.M), g.said)

    def test_a_replacement_of_a_worker_says_who_it_is(self):
        g = self.prefixed("--restart-delay", "10ms", "-w", "2")
        first = {w["pid"] for w in g.workers()}
        self.become("tell=again", "ready", "serve")
        victim = min(first)
        slot = next(w["worker"] for w in g.workers() if w["pid"] == victim)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: b": again\n" in self.text())
        new, = {w["pid"] for w in g.workers()} - first
        self.assertIn(b"generation 1, worker %d, PID %d: again\n" % (slot, new), self.text())

    def test_a_line_that_is_not_finished_is_told_and_its_rest_is_a_line_of_its_own(self):
        go = self.path("go")
        os.mkfifo(go)
        g = self.script("""
os.write(1, b"loading ... ")
n.send(b"READY=1")
open("%s").read()
os.write(1, b"done\\nnext\\n")
signal.pause()
""" % go)
        wait_until(lambda: self.text().endswith(b": loading ... \n"))
        with open(go, "w"):
            pass
        wait_until(lambda: b"next" in self.text())
        who = b"generation 1, worker 0, PID %d: " % g.workers()[0]["pid"]
        self.assertEqual(self.text(), who + b"loading ... \n" + who + b"...done\n" + who + b"next\n")

    def test_all_bytes_come_out_as_they_went_in_and_a_huge_line_in_pieces(self):
        wild = bytes(b for b in range(256) if b != 10)
        g = self.script("""
os.write(1, bytes(b for b in range(256) if b != 10) + b"\\n")
say(b"\\xe2\\x82\\xac" * 100000 + b"!\\n")
n.send(b"READY=1")
signal.pause()
""")
        wait_until(lambda: self.text().endswith(b"!\n"))
        who = b"generation 1, worker 0, PID %d: " % g.workers()[0]["pid"]
        first, *pieces = self.text()[len(who):-1].split(b"\n" + who)
        self.assertEqual(first, wild)
        self.assertEqual(b"".join(p.removeprefix(b"...") for p in pieces), b"\xe2\x82\xac" * 100000 + b"!")
        self.assertGreaterEqual(len(pieces), 5)
        for p in pieces:
            p.decode()  # no character is cut in two
            self.assertLessEqual(len(p), 65536 + 3)

    def test_what_is_said_at_the_end_is_told_and_told_why_a_reload_failed(self):
        g = self.prefixed()
        self.become(*["tell=line_%d" % i for i in range(300)], "mutter=no_such_table", "exit=3")
        r = g.reload()
        self.assertIn("  | no_such_table\n", r.stderr)
        self.assertEqual([l.rpartition(b": ")[2] for l in self.text().splitlines()], [b"line_%d" % i for i in range(300)])
        self.assertIn("no_such_table", self.lines(g.said()))

    def test_what_a_check_and_a_hook_say_is_told_as_theirs(self):
        check = self.write("check", "#!/bin/sh\necho checked $$\n", 0o755)
        hook = self.write("hook", "#!/bin/sh\necho hooked $$ >&2\n", 0o755)
        g = self.prefixed("--check", check, "--on", "reloaded=" + hook)
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: "hooked" in g.said(), g.said)
        self.assertRegex(self.text().decode(), r"^generation 2, PID (\d+): checked \1\n$")
        self.assertRegex(g.said(), r"(?m)^PID (\d+): hooked \1$")

    def test_a_stream_that_is_inherited_by_name_is_left_alone(self):
        g = self.prefixed("--stdout", "inherit", habits=("tell=hello", "ready", "serve"))
        self.assertEqual(self.text(), b"hello\n")
        self.assertEqual(os.readlink("/proc/%d/fd/1" % g.workers()[0]["pid"]), self.path("out"))

    def test_a_reload_begins_and_ends_it(self):
        g = self.graced("--config", self.write("conf", ""), preexec=self.to_file(),
                        command=(self.write("app", '#!/bin/sh\necho "$GRACED_GENERATION"; exec "%s" ready serve\n' % WORKER, 0o755),))
        self.write("conf", "output = prefix\n")
        self.assertEqual(g.reload().returncode, 0)
        self.write("conf", "output = plain\n")
        self.assertEqual(g.reload().returncode, 0)
        self.assertRegex(self.text().decode(), r"^1\ngeneration 2, worker 0, PID \d+: 2\n3\n$")

    def test_survivors_of_a_killed_graced_do_not_wait_for_a_reader(self):
        g = self.script("""
graced = os.pidfd_open(os.getppid())
n.send(b"READY=1")
select.select([graced], [], [])
for fd in (1, 2):
    try:
        for i in range(100):
            os.write(fd, b"x" * 99999 + b"\\n")
    except BrokenPipeError:
        pass
open("%s", "w").close()
""" % self.path("alive"))
        g.process.kill()
        g.process.wait()
        wait_until(lambda: os.path.exists(self.path("alive")))


class Json(Output):
    def objects(self, text):
        return [json.loads(line) for line in text.splitlines()]

    def test_all_that_comes_out_is_json_one_object_a_line(self):
        check = self.write("check", "#!/bin/sh\necho checked\n", 0o755)
        hook = self.write("hook", "#!/bin/sh\necho hooked >&2\n", 0o755)
        g = self.prefixed("--log-format", "json", "--check", check, "--on", "reloaded=" + hook,
                          habits=("say=err", "tell=out", "mutter=not_finished", "ready", "serve"))
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: "hooked" in g.said(), g.said)
        self.assertEqual(g.end(), 0)
        out, err = self.objects(self.text()), self.objects(g.said())
        self.assertEqual([(o["stream"], o.get("generation"), o.get("worker"), o["text"]) for o in out],
                         [("stdout", 1, 0, "out"), ("stdout", 2, None, "checked")])
        said = [(o["stream"], o.get("generation"), o.get("worker"), o["text"]) for o in err if "text" in o]
        self.assertCountEqual(said, [("stderr", 1, 0, "err"), ("stderr", 1, 0, "not_finished"), ("stderr", None, None, "hooked")])
        self.assertEqual({o["name"] for o in out + err}, {"t"})
        for o in out:
            self.assertRegex(o["time"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
            self.assertGreater(o["pid"], 1)

    def test_no_byte_of_a_worker_makes_it_anything_else(self):
        self.script("""
os.write(1, bytes(b for b in range(256) if b != 10) + b'"}\\n')
say(b"\\xff\\0\\x1b" * 100000 + b"end\\n")
n.send(b"READY=1")
signal.pause()
""", "--log-format", "json")
        wait_until(lambda: self.text().endswith(b'end","continues":true}\n'))
        self.assertTrue(self.text().isascii())
        first, *pieces = self.objects(self.text())
        self.assertEqual(first["text"], bytes(b for b in range(128) if b != 10).decode() + "�" * 128 + '"}')
        self.assertNotIn("continues", first)
        self.assertEqual("".join(p["text"] for p in pieces), "�\0\x1b" * 100000 + "end")
        self.assertEqual([p.get("continues", False) for p in pieces], [False] + [True] * (len(pieces) - 1))


class SlowReader(Output):
    def test_a_stdout_that_nobody_reads_stops_neither_graced_nor_for_long_a_worker(self):
        reader, writer = os.pipe()
        self.addCleanup(lambda: reader is not None and os.close(reader))
        g = self.script("""
n.send(b"READY=1")
for i in range(20000):
    os.write(1, b"%06d " % i + b"y" * 992 + b"\\n")
n.send(b"STATUS=done")
signal.pause()
""", preexec=lambda: os.dup2(writer, 1), pass_fds=(writer,))
        os.close(writer)
        wait_until(lambda: g.workers()[0]["status"] == "done", g.said)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.status()["serving"], 2)
        self.assertNotIn("were dropped", g.said())
        # Somebody reads again.
        told = b""
        while "lines of workers were dropped while nobody read them" not in g.said():
            if select.select([reader], [], [], 0.05)[0]:
                told += os.read(reader, 65536)
        for line in told.split(b"\n")[:-1]:
            self.assertRegex(line, rb"^generation \d+, worker 0, PID \d+: \d{6} y{992}$")  # whole lines only
        self.assertGreater(int(re.search(r"warning (\d+) lines of workers were dropped", g.said()).group(1)), 1000)
        os.close(reader)
        reader = None
        self.assertEqual(g.end(), 0)

    def test_a_reader_that_is_gone_is_no_trouble(self):
        reader, writer = os.pipe()
        g = self.script("""
n.send(b"READY=1")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.sigwait([signal.SIGUSR1])
for i in range(2000):
    os.write(1, b"y" * 999 + b"\\n")
n.send(b"STATUS=done")
signal.pause()
""", preexec=lambda: os.dup2(writer, 1), pass_fds=(writer,))
        os.close(writer)
        os.close(reader)
        os.kill(g.workers()[0]["pid"], signal.SIGUSR1)
        wait_until(lambda: g.workers()[0]["status"] == "done", g.said)
        self.assertEqual(g.end(), 0)


class Logs(Output):
    def logs(self, g, *arguments):
        r = g.run("logs", *arguments)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def follow(self, g, *arguments):
        p = subprocess.Popen([GRACED, "logs", "--control", g.control, "-f", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        return p

    def test_lines_of_both_streams_are_told_with_their_time_and_who_said_them(self):
        g = self.prefixed(habits=("say=err", "tell=out", "ready", "serve"))
        wait_until(lambda: "out" in self.logs(g) and "err" in self.logs(g))
        pid = g.workers()[0]["pid"]
        lines = self.logs(g).splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z generation 1, worker 0, PID %d: (err|out)$" % pid)
        self.assertEqual(self.logs(g, "-n", "1"), lines[-1] + "\n")

    def test_those_of_a_candidate_that_failed_stay_and_those_of_a_generation_that_left_go(self):
        g = self.prefixed(habits=("tell=first", "ready", "serve"))
        self.become("tell=second", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        wait_until(lambda: "first" in self.logs(g))
        self.assertRegex(self.logs(g), r"generation 2, worker 0, PID \d+: second\n")
        self.become("tell=third", "ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: len(g.workers()) == 1)
        wait_until(lambda: "third" in self.logs(g))
        self.assertNotIn("first", self.logs(g))
        self.assertIn("second", self.logs(g))

    def test_of_a_flood_the_last_quarter_of_a_mebibyte_is_kept(self):
        g = self.script("""
for i in range(5000):
    os.write(1, b"%06d " % i + b"z" * 193 + b"\\n")
n.send(b"READY=1\\nSTATUS=done")
signal.pause()
""")
        wait_until(lambda: "004999" in self.logs(g, "-n", "1"))
        numbers = [int(l.split(": ")[1][:6]) for l in self.logs(g).splitlines()]
        self.assertEqual(numbers, list(range(5000 - len(numbers), 5000)))
        self.assertEqual(len(numbers), 256 * 1024 // (200 + 64))

    def test_what_comes_is_told_as_it_comes_until_graced_ends(self):
        g = self.prefixed(habits=("tell=first", "ready", "serve"))
        p = self.follow(g)
        self.assertTrue(p.stdout.readline().endswith(": first\n"))
        for word in ("second", "third"):
            self.become("tell=" + word, "ready", "serve")
            self.assertEqual(g.reload().returncode, 0)
            self.assertTrue(p.stdout.readline().endswith(": %s\n" % word))
        self.assertEqual(g.end(), 0)
        out, err = p.communicate(timeout=PATIENCE)
        self.assertEqual((p.returncode, out, err), (0, "", "graced: 't' has ended\n"))

    def test_who_follows_and_does_not_read_costs_graced_nothing(self):
        g = self.script("""
n.send(b"READY=1")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.sigwait([signal.SIGUSR1])
for i in range(20000):
    os.write(1, b"y" * 999 + b"\\n")
n.send(b"STATUS=done")
signal.pause()
""")
        p = self.follow(g)
        os.kill(g.workers()[0]["pid"], signal.SIGUSR1)
        wait_until(lambda: g.workers()[0]["status"] == "done", g.said)
        self.assertEqual(g.reload().returncode, 0)
        with open("/proc/%d/status" % g.pid) as f:
            status = f.read()
        if os.environ.get("GRACED_SANITIZED") != "1":
            self.assertLess(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)), 60_000)
        p.kill()
        self.assertEqual(g.end(), 0)

    def test_a_follower_is_told_how_many_lines_it_has_missed(self):
        g = self.script("""
n.send(b"READY=1")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
for round in range(2):
    os.write(1, b"round %d\\n" % round)
    signal.sigwait([signal.SIGUSR1])
for i in range(20000):
    os.write(1, b"y" * 999 + b"\\n")
n.send(b"STATUS=done")
signal.pause()
""")
        p = self.follow(g)
        self.assertTrue(p.stdout.readline().endswith(": round 0\n"))
        os.kill(p.pid, signal.SIGSTOP)  # too slow, whatever the machine is
        for _ in range(2):
            os.kill(g.workers()[0]["pid"], signal.SIGUSR1)
            wait_until(lambda: _ == 1 or "round 1" in self.logs(g))
        wait_until(lambda: g.workers()[0]["status"] == "done", g.said)
        os.kill(p.pid, signal.SIGCONT)
        wait_until(lambda: select.select([p.stderr], [], [], 0)[0] or not p.stdout.readline())
        self.assertRegex(p.stderr.readline(), r"^graced: \d+ lines are missing here: they came too fast\n$")

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_another_user_is_refused(self):
        g = self.prefixed(habits=("tell=secret", "ready", "serve"))
        os.chmod(self.directory, 0o755)
        os.chmod(g.control, 0o666)
        wait_until(lambda: "secret" in self.logs(g))
        r = g.run("logs", preexec_fn=become_nobody)
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertRegex(r.stderr, r"^graced: logs of 't' refused: only root may do this, you are uid 65534\n$")

    def test_where_nothing_is_kept_the_way_out_is_told(self):
        g = self.serving(habits=("say=hello", "ready", "serve"))
        for arguments in ((), ("-f",)):
            r = g.run("logs", *arguments)
            self.assertEqual((r.returncode, r.stdout), (1, ""))
            self.assertRegex(r.stderr, r"^graced: 't' keeps no lines of its workers, as it runs with --output plain: with --output prefix it does; .*\n$")

    def test_it_is_refused_as_other_commands_are(self):
        self.assert_refused("no graced is running at", "logs", "--control", self.path("none"), code=3)
        self.assert_refused("--last", "logs", "-n", "0")


@unittest.skipUnless(os.geteuid() == 0, "only root can have a /run of its own for a journal")
class Journal(Output):
    def heard(self, journal):
        """One entry, as a dictionary of bytes."""
        entry, rest = {}, journal.recv(1 << 20)
        while rest:
            name, sign, rest = re.match(rb"([A-Z_]+)([=\n])(.*)", rest, re.S).groups()
            if sign == b"=":
                entry[name.decode()], _, rest = rest.partition(b"\n")
            else:
                size = int.from_bytes(rest[:8], "little")
                entry[name.decode()], rest = rest[8:8 + size], rest[9 + size:]
        return entry

    def test_lines_are_entries_with_fields_and_logs_points_to_journalctl(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        stream = os.fstat(theirs.fileno())
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.settimeout(PATIENCE)
        place = self.path("journal")
        os.mkdir(place)
        journal.bind(os.path.join(place, "socket"))
        private = 'mount -t tmpfs none /run && mkdir -p /run/systemd && ln -s "$0" /run/systemd/journal && "$@"; exit $?'
        g = self.serving("--output", "prefix", habits=("tell=out", "say=<3>err", "ready", "serve"), stderr=theirs.fileno(),
                         preexec=lambda: os.dup2(theirs.fileno(), 1),
                         env={"JOURNAL_STREAM": "%d:%d" % (stream.st_dev, stream.st_ino)},
                         within=("unshare", "--mount", "sh", "-c", private, place))
        theirs.close()
        pid = g.workers()[0]["pid"]
        entries = {}
        while len(entries) < 2:
            entry = self.heard(journal)
            for text in (b"out", b"err"):
                if entry["MESSAGE"].endswith(b": " + text):
                    entries[text] = entry
        for text, name, level in ((b"out", b"stdout", b"6"), (b"err", b"stderr", b"3")):
            self.assertEqual(entries[text], {
                "MESSAGE": b"generation 1, worker 0, PID %d: " % pid + text, "PRIORITY": level, "SYSLOG_IDENTIFIER": b"graced",
                "GRACED_NAME": b"t", "GRACED_STREAM": name, "GRACED_WORKER_PID": b"%d" % pid, "GRACED_GENERATION": b"1",
                "GRACED_WORKER": b"0"})

        r = g.run("logs")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stdout, r"^t: its lines are in the journal: journalctl (-u \S+|GRACED_NAME=t)\n$")
        self.write("journalctl", '#!/bin/sh\necho "$@"\n', 0o755)
        r = g.run("logs", "-f", "-n", "7", env={**os.environ, "PATH": self.directory + ":/usr/bin:/bin"})
        self.assertRegex(r.stdout, r"^(-u \S+|GRACED_NAME=t) -f -n7\n$")
        self.assertRegex(r.stderr, r"^graced: the lines of 't' are in the journal: journalctl .* -f -n7\n$")

    def test_a_journal_that_does_not_read_stops_nobody(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        stream = os.fstat(theirs.fileno())
        place = self.path("journal")
        os.mkdir(place)
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.settimeout(PATIENCE)
        private = 'mount -t tmpfs none /run && mkdir -p /run/systemd && ln -s "$0" /run/systemd/journal && "$@"; exit $?'
        journal.bind(os.path.join(place, "socket"))
        # Its own lines would wait for the journal, as sd_journal_sendv(3) does.
        g = self.script("""
n.send(b"READY=1")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.sigwait([signal.SIGUSR1])
for i in range(20000):
    os.write(2, b"y" * 999 + b"\\n")
n.send(b"STATUS=done")
signal.pause()
""", "--log-level", "error", stderr=theirs.fileno(), preexec=None, env={"JOURNAL_STREAM": "%d:%d" % (stream.st_dev, stream.st_ino)},
                        within=("unshare", "--mount", "sh", "-c", private, place))
        theirs.close()
        os.kill(g.workers()[0]["pid"], signal.SIGUSR1)
        wait_until(lambda: g.workers()[0]["status"] == "done")
        self.assertEqual(g.reload().returncode, 0)
        self.assertTrue(self.heard(journal)["MESSAGE"].endswith(b"y" * 999))


if __name__ == "__main__":
    main()
