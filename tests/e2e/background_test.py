"""graced that goes into the background, and graced that writes a newline when it serves."""
import os, pty, signal, subprocess
from harness import Case, GRACED, PATIENCE, WORKER, alive, ask, main, wait_until


class Background(Case):
    def start(self, *arguments, command=(WORKER, "ready", "serve"), options=(), **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        environment.pop("NOTIFY_SOCKET", None)
        return subprocess.run([GRACED, "run", "--daemonize", "--name", "b", "--control", self.path("b.control"), "--pid-file",
                               self.path("pid"), "-l", "unix:" + self.path("s"), *arguments, "--", *command],
                              env=environment, cwd=self.directory, timeout=PATIENCE, stdin=subprocess.DEVNULL, **more)

    def stop(self):
        subprocess.run([GRACED, "stop", "--control", self.path("b.control")], capture_output=True)

    def pid(self):
        with open(self.path("pid")) as f:
            return int(f.read())

    def test_it_serves_when_the_parent_returns(self):
        self.addCleanup(self.stop)
        with open(self.path("log"), "wb") as log:
            r = self.start(stderr=log, stdout=subprocess.DEVNULL)
        self.assertEqual(r.returncode, 0)
        self.assertIn("generation 1", ask(self.path("s")))
        pid = self.pid()
        os.kill(pid, signal.SIGHUP)
        self.soon("generation 2", lambda: ask(self.path("s")))
        # A session that is not its own to lead, so no terminal can become its; the log is still the file.
        with open("/proc/%d/stat" % pid) as f:
            _, _, group, session, terminal = f.read().rpartition(")")[2].split()[:5]
        self.assertNotIn(int(session), (pid, os.getsid(0)))
        self.assertEqual(int(terminal), 0)
        self.assertEqual(os.readlink("/proc/%d/fd/0" % pid), "/dev/null")
        self.assertEqual(os.readlink("/proc/%d/fd/2" % pid), self.path("log"))
        self.stop()
        wait_until(lambda: not alive(pid))
        self.assertEqual(sorted(os.listdir(self.directory)), ["log"])
        with open(self.path("log")) as f:
            self.assertIn("generation 2: serves", f.read())

    def test_a_pipe_and_a_terminal_are_let_go(self):
        self.addCleanup(self.stop)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        r = self.start(stdout=slave, stderr=subprocess.PIPE)  # returns at the end of the pipe
        os.close(slave)
        self.assertEqual(r.returncode, 0, r.stderr)
        for fd in (1, 2):
            self.assertEqual(os.readlink("/proc/%d/fd/%d" % (self.pid(), fd)), "/dev/null")

    def test_a_failed_start_is_the_parents_failure_with_its_reason(self):
        r = self.start(command=(WORKER, "say=no database here", "exit=3"), capture_output=True, text=True)
        self.assertEqual(r.returncode, 1)
        self.assertIn("no database here", r.stderr)
        self.assertRegex(r.stderr, "(?m)^graced: it does not serve: exited with status 3")
        self.assertEqual(os.listdir(self.directory), [])

    def test_so_is_an_instance_that_cannot_live(self):
        self.addCleanup(self.stop)
        self.assertEqual(self.start(capture_output=True).returncode, 0)
        pid = self.pid()
        r = self.start(capture_output=True, text=True)
        self.assertEqual(r.returncode, 1)
        self.assertIn("another graced named 'b' is running", r.stderr)
        self.assertTrue(alive(pid))
        self.assertIn("generation 1", ask(self.path("s")))

    def test_and_one_that_is_killed(self):
        worker = self.write("w", "#!/bin/sh\nkill -KILL $PPID\n", 0o755)
        r = self.start(command=(worker,), capture_output=True, text=True)
        self.assertEqual(r.returncode, 1)


class Newline(Case):
    def test_it_comes_once_the_first_generation_serves_and_no_worker_has_the_descriptor(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        descriptors = 'ls -l /proc/$$/fd > "%s"' % self.path("seen")
        script = self.write("app", '#!/bin/sh\n%s\nexec "%s" ready serve\n' % (descriptors, WORKER), 0o755)
        g = self.graced("--notify-fd", str(writer), command=(script,), pass_fds=(writer,), wait=False)
        os.close(writer)
        self.assertEqual(os.read(reader, 10), b"\n")
        self.assertEqual(os.read(reader, 10), b"")  # closed
        with open(self.path("seen")) as f:
            self.assertNotIn("pipe:[%d]" % os.fstat(reader).st_ino, f.read())
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(g.end(), 0)

    def test_a_reader_that_is_gone_does_not_matter(self):
        reader, writer = os.pipe()
        os.close(reader)
        g = self.graced("--notify-fd", str(writer), command=(WORKER, "ready", "serve"), pass_fds=(writer,))
        os.close(writer)
        self.assertEqual(g.end(), 0)

    def test_a_failed_start_writes_nothing(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        g = self.graced("--notify-fd", str(writer), command=("/bin/false",), pass_fds=(writer,), wait=False)
        os.close(writer)
        self.assertEqual(os.read(reader, 10), b"")
        self.assertEqual(g.end(None), 1)

    def test_a_descriptor_that_is_not_there_is_an_error(self):
        self.assert_refused("notify-fd 77: graced was started without this descriptor", "run", "--control",
                            self.path("c"), "--notify-fd", "77", "/bin/true", code=1)


if __name__ == "__main__":
    main()
