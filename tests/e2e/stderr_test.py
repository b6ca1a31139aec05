"""A worker's stderr on its way through graced."""
import os, signal
from harness import Case, main, wait_until


class Stderr(Case):
    def text(self, g):
        with open(g.log_path, "rb") as f:
            return f.read()

    def test_lines_pass_unchanged_and_the_last_twenty_are_kept(self):
        g = self.serving(habits=["say=line_%d" % i for i in range(30)] + ["ready", "serve"])
        # READY=1 may overtake what was said before it.
        wait_until(lambda: b"line_29\n" in self.text(g))
        lines = [l for l in self.text(g).decode().splitlines() if l.startswith("line_")]
        self.assertEqual(lines, ["line_%d" % i for i in range(30)])
        self.assertEqual(g.workers()[0]["last_lines"], ["line_%d" % i for i in range(10, 30)])

    def test_no_byte_is_lost_of_workers_that_write_as_fast_as_they_can(self):
        script = self.write("app", """#!/usr/bin/python3 -SE
import os, signal, socket
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"])
who = os.environ["GRACED_WORKER"].encode()
for i in range(20000):
    line = b"#%s %d %s\\n" % (who, i, b"x" * (i % 300))
    while line:                       # in pieces: no line may be split by another's
        line = line[os.write(2, line[:1 + i % 200]):]
n.send(b"READY=1\\nSTATUS=done")
signal.pause()
""", 0o755)
        g = self.graced("-w", "2", "--ready", "notify", command=(script,))
        wait_until(lambda: all(b"#%d 19999 " % n in self.text(g) for n in (0, 1)))
        seen = {b"0": 0, b"1": 0}
        for line in self.text(g).splitlines():
            if not line.startswith(b"#"):
                continue
            who, number, *rest = line[1:].split(b" ")
            self.assertEqual(int(number), seen[who])
            self.assertEqual(rest, [b"x" * (seen[who] % 300)])
            seen[who] += 1
        self.assertEqual(seen, {b"0": 20000, b"1": 20000})

    def test_the_last_words_of_a_dying_worker_are_heard(self):
        g = self.switchable("--restart-delay", "10ms")
        self.become(*["say=tell_%d" % i for i in range(50)], "mutter=and_no_newline", "die=KILL")
        self.assertEqual(g.reload().returncode, 1)
        self.assertIn(b"tell_49\nand_no_newline\n", self.text(g))

    def test_a_reader_that_does_not_read_makes_nobody_but_the_writer_wait(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        script = self.write("app", """#!/usr/bin/python3 -SE
import os, socket, threading
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
for i in range(100000):
    os.write(2, b"y" * 99 + b"\\n")
""", 0o755)
        g = self.graced(command=(script,), stderr=writer)
        os.close(writer)
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.status()["serving"], 2)
        g.signal(signal.SIGTERM)
        g.wait("STOPPING=1")
        self.assertEqual(g.end(), 0)

    def test_a_worker_survives_the_death_of_graced_and_what_it_says_then(self):
        out = self.path("out")
        script = self.write("app", """#!/usr/bin/python3 -SE
import os, select, socket
graced = os.pidfd_open(os.getppid())
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
select.select([graced], [], [])
try:
    for i in range(100):
        os.write(2, b"x" * 99999 + b"\\n")
except BrokenPipeError:
    pass
open("%s", "w").write("alive")
""" % out, 0o755)
        g = self.graced(command=(script,))
        worker = g.workers()[0]["pid"]
        g.process.kill()
        g.process.wait()
        os.kill(worker, 0)
        # It goes on, and does not wait for a reader that never comes, however much it says.
        wait_until(lambda: os.path.exists(out))

    def test_what_a_worker_has_started_does_not_wait_for_a_killed_graced_to_read_either(self):
        out = self.path("out")
        script = self.write("app", """#!/usr/bin/python3 -SE
import os, select, socket
graced = os.pidfd_open(os.getppid())
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"])
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
    who = "ab"[os.getsid(0) == os.getpid()]
    log = os.open("/dev/stderr", os.O_WRONLY | os.O_APPEND)
    select.select([graced], [], [])
    for fd in (2, log):  # that it was given, and one that it has opened by name
        try:
            for i in range(100):
                os.write(fd, b"x" * 99999 + b"\\n")
        except BrokenPipeError:
            pass
    open("%s." + who, "w").close()
    os._exit(0)
n.send(b"READY=1")
os.wait()
""" % out, 0o755)
        g = self.graced("--ready", "notify", command=(script,))
        g.process.kill()
        g.process.wait()
        wait_until(lambda: os.path.exists(out + ".a") and os.path.exists(out + ".b"))

    def test_a_line_that_is_not_finished_is_shown_and_nothing_is_written_behind_it(self):
        go = self.path("go")
        os.mkfifo(go)
        script = self.write("app", """#!/usr/bin/python3 -SE
import os, signal, socket
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"])
os.write(2, b"loading the model ... ")
n.send(b"READY=1")
open("%s").read()
os.write(2, b"done\\nand more\\n")
signal.pause()
""" % go, 0o755)
        g = self.graced(command=(script,))
        wait_until(lambda: b"loading the model ... " in self.text(g))
        self.assertEqual(g.workers()[0]["last_lines"], ["loading the model ... "])
        g.signal(signal.SIGUSR2)
        wait_until(lambda: b"SIGUSR2 received" in self.text(g))
        self.assertIn(b"loading the model ... ", self.text(g).splitlines())  # and nothing else in that line
        with open(go, "w"):
            pass
        wait_until(lambda: b"\ndone\nand more\n" in self.text(g), lambda: self.text(g).decode())
        self.assertEqual(g.workers()[0]["last_lines"], ["loading the model ... done", "and more"])

    def test_inherit_keeps_nothing_and_touches_nothing(self):
        g = self.serving("--stderr", "inherit", habits=("say=hello", "ready", "serve"))
        self.assertIn(b"hello\n", self.text(g))
        self.assertEqual(g.workers()[0]["last_lines"], [])
        pid = g.workers()[0]["pid"]
        self.assertEqual(os.readlink("/proc/%d/fd/2" % pid), g.log_path)


if __name__ == "__main__":
    main()
