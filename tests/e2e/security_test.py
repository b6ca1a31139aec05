"""What packaging/SECURITY.md says that nobody can do: each "cannot" there that needs a whole graced is tried
here, by a worker or a stranger of another user."""
import os, stat, subprocess, unittest

from harness import GRACED, NOBODY, PATIENCE, WORKER, Case, become_nobody, descriptors, main


@unittest.skipUnless(os.geteuid() == 0, "becoming somebody else takes root")
class Security(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)  # a stranger may look

    def stranger(self, program, *arguments, **more):
        """Python, as another user; its stdout."""
        done = subprocess.run(["/usr/bin/python3", "-c", program, *arguments], preexec_fn=become_nobody, capture_output=True,
                              text=True, timeout=PATIENCE, cwd="/", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def attempts(self, g, *attempts):
        """Each is a line of Python that must end in PermissionError."""
        program = "import os, signal, socket, sys\ncontrol, pid = sys.argv[1], int(sys.argv[2])\nfor line in sys.argv[3:]:\n"
        program += "    try:\n        exec(line)\n    except PermissionError:\n        print('refused')\n    else:\n        print('DONE', line)\n"
        said = self.stranger(program, g.control, str(g.pid), *attempts)
        self.assertEqual(said, "refused\n" * len(attempts))

    def as_stranger(self, g, *words):
        return subprocess.run([GRACED, *words, "--control", g.control], preexec_fn=become_nobody, capture_output=True, text=True,
                              timeout=PATIENCE, cwd="/")

    # ---- the control socket -----------------------------------------------------------------------

    def test_a_stranger_may_look_and_change_nothing(self):
        g = self.serving()
        self.assertEqual(self.as_stranger(g, "status").returncode, 0)
        for command in ("reload", "abort", "stop", "hammer"):
            r = self.as_stranger(g, command)
            self.assertEqual(r.returncode, 1, command)
            self.assertIn("only root may do this, you are uid %d" % NOBODY, r.stderr)
        self.assertEqual(g.status()["reloads"], 0)

    def test_a_worker_of_another_user_has_no_more_rights_than_a_stranger(self):
        out = self.path("out")
        self.write("out", "", 0o666)
        script = self.write("app", '#!/bin/sh\n"%s" stop --control "$1" >%s 2>&1\necho "status $?" >>%s\nexec "%s" ready serve\n'
                            % (GRACED, out, out, WORKER), 0o755)
        self.graced("--user", str(NOBODY), command=(script, self.path("t.control")))
        with open(out) as f:
            said = f.read()
        self.assertIn("only root may do this", said)
        self.assertIn("status 1", said)

    def test_nobody_else_can_take_the_place_of_a_socket_or_send_a_signal(self):
        g = self.serving()
        self.attempts(g, "os.unlink(control)", "os.rename(control, control + 'x')", "os.unlink(control + '.notify')",
                      "os.symlink('/etc/passwd', control + '.new')", "os.kill(pid, signal.SIGHUP)",
                      "os.kill(pid, signal.SIGTERM)", "open('/proc/%d/mem' % pid, 'r+')", "os.listdir('/proc/%d/fd' % pid)")

    def test_a_stranger_cannot_hold_the_lock_and_keep_graced_from_starting(self):
        g = self.serving()
        self.attempts(g, "open(control + '.lock')")
        self.assertEqual(stat.S_IMODE(os.stat(g.control + ".lock").st_mode), 0o600)

    def test_a_directory_that_anybody_may_write_to_is_refused(self):
        os.mkdir(self.path("open"))
        os.chmod(self.path("open"), 0o777)
        r = self.run_graced("run", "--control", self.path("open/control"), "--", "/bin/true")
        self.assertEqual(r.returncode, 1)
        self.assertIn("everybody may write to", r.stderr)
        self.assertEqual(os.listdir(self.path("open")), [])

    def test_a_symlink_of_a_stranger_does_not_say_where_the_control_socket_goes(self):
        os.mkdir(self.path("shared"))
        os.chmod(self.path("shared"), 0o1777)
        os.mkdir(self.path("victim"))  # root's: its owner alone would be no reason to refuse
        self.stranger("import os, sys; os.symlink(sys.argv[1], sys.argv[2])", self.path("victim"), self.path("shared/graced"))
        r = self.run_graced("run", "--control", self.path("shared/graced/control"), "--", "/bin/true")
        self.assertEqual(r.returncode, 1)
        # The kernel may be the one that refuses, where fs.protected_symlinks is set.
        self.assertTrue("is a symlink of uid %d" % NOBODY in r.stderr or "Permission denied" in r.stderr, r.stderr)
        self.assertEqual(os.listdir(self.path("victim")), [])

    # ---- files in directories of everybody --------------------------------------------------------

    def test_a_pid_file_does_not_follow_a_strangers_symlink(self):
        os.mkdir(self.path("shared"))
        os.chmod(self.path("shared"), 0o1777)
        self.write("victim", "precious\n")
        self.stranger("import os, sys; os.symlink(sys.argv[1], sys.argv[2])", self.path("victim"), self.path("shared/pid"))
        g = self.serving("--pid-file", self.path("shared/pid"))
        with open(self.path("shared/pid")) as f:
            self.assertEqual(int(f.read()), g.pid)
        self.assertFalse(os.path.islink(self.path("shared/pid")))
        self.assertEqual(g.end(), 0)
        with open(self.path("victim")) as f:
            self.assertEqual(f.read(), "precious\n")

    def test_a_unix_address_is_not_bound_through_a_strangers_symlink(self):
        os.mkdir(self.path("shared"))
        os.chmod(self.path("shared"), 0o1777)
        self.stranger("import os, sys; os.symlink(sys.argv[1], sys.argv[2])", self.path("target"), self.path("shared/app.sock"))
        self.assert_refused("shared/app.sock", "run", "--control", self.path("c"), "-l", "unix:" + self.path("shared/app.sock"),
                            "--", "/bin/true", code=1)
        self.assertFalse(os.path.exists(self.path("target")))
        self.assertTrue(os.path.islink(self.path("shared/app.sock")))

    # ---- the notify socket ------------------------------------------------------------------------

    def test_an_orphan_of_another_user_that_claims_to_be_the_candidates_does_not_make_it_ready(self):
        """It was started by the old worker, so it is graced's to reap, and its environment is what it likes."""
        liar = self.write("liar", '#!/usr/bin/python3\nimport os, socket, sys, time\n'
                          's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n'
                          'while True:\n    try:\n        s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])\n'
                          '    except OSError:\n        pass\n'
                          '    open(sys.argv[1], "w").close()\n    time.sleep(0.01)\n', 0o755)
        self.write("said", "", 0o666)
        self.become("ready", "serve")
        script = self.write("app", '#!/usr/bin/python3\nimport os\n'
                            'if os.environ["GRACED_GENERATION"] == "1" and os.fork() == 0:\n'
                            '    os.setsid()\n'
                            '    if os.fork() == 0:\n'
                            '        os.setgid(%d); os.setuid(%d)\n'
                            '        os.execve(%r, ["liar", %r], dict(os.environ, GRACED_GENERATION="2", GRACED_WORKER="0"))\n'
                            '    os._exit(0)\n'
                            'open(%r, "w").close()\n'
                            'os.execv(%r, ["worker", *open(%r).read().split()])\n'
                            % (NOBODY, NOBODY, liar, self.path("said"), self.path("habits.read"), WORKER, self.path("habits")), 0o755)
        g = self.graced(*self.ready_within("10min"), command=(script,))
        self.ready_within("1s")
        self.become("sleep=1000")
        r = g.reload()
        self.assertEqual(r.returncode, 1, "the candidate said nothing, a stranger did")
        self.assertIn("not ready within 1s", r.stderr)
        self.assertEqual(g.status()["serving"], 1)

    def test_a_stranger_that_floods_the_notify_socket_does_not_keep_a_worker_from_being_ready(self):
        g = self.switchable()
        flood = subprocess.Popen(["/usr/bin/python3", "-c", "import os, socket, sys\n"
                                  "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                                  "null = [os.open('/dev/null', os.O_RDONLY)] * 50\n"
                                  "print(flush=True)\n"
                                  "while True:\n    try:\n        socket.send_fds(s, [b'READY=1\\nFDSTORE=1'], null, 0, sys.argv[1])\n"
                                  "    except OSError:\n        sys.exit()\n", g.control + ".notify"],
                                 preexec_fn=become_nobody, stdout=subprocess.PIPE, cwd="/")
        try:
            flood.stdout.readline()
            before = len(descriptors(g.pid))
            for _ in range(3):
                self.assertEqual(g.reload().returncode, 0)
            self.assertLess(len(descriptors(g.pid)), before + 50)
        finally:
            flood.kill()
            flood.wait()
            flood.stdout.close()

    # ---- what a worker gets, and what it leaves ---------------------------------------------------

    def test_a_worker_of_another_user_has_nothing_of_graceds_but_its_sockets(self):
        out = self.path("out")
        self.write("out", "", 0o666)
        script = self.write("app", '#!/usr/bin/python3\nimport os\n'
                            'fds = []\n'
                            'for fd in sorted(map(int, os.listdir("/proc/self/fd"))):\n'
                            '    try:\n        fds.append((fd, os.readlink("/proc/self/fd/%%d" %% fd).split(":")[0]))\n'
                            '    except OSError:\n        pass\n'
                            'status = dict(line.split(":", 1) for line in open("/proc/self/status"))\n'
                            'print([f for f in fds if f[0] > 2], os.getresuid(), os.getresgid(), os.getgroups(),\n'
                            '      [int(status[k], 16) for k in ("CapPrm", "CapEff", "CapAmb")], os.environ["HOME"],\n'
                            '      sorted(k for k in os.environ if k.startswith(("GRACED_", "WATCHDOG", "MAINPID"))),\n'
                            '      os.environ["NOTIFY_SOCKET"], file=open(%r, "w"))\n'
                            'os.execv(%r, ["worker", "ready", "serve"])\n' % (out, WORKER), 0o755)
        g = self.graced("--user", str(NOBODY), command=(script,), env={"WATCHDOG_USEC": "60000000", "MAINPID": "1"})
        with open(out) as f:
            said = f.read()
        self.assertIn("[(3, 'socket')] (%d, %d, %d) " % (NOBODY, NOBODY, NOBODY), said)
        self.assertIn(" [0, 0, 0] ", said)
        self.assertNotIn("0, 0) [", said)  # no group of root's
        self.assertIn("['GRACED_CONTROL', 'GRACED_DRAIN_TIMEOUT', 'GRACED_GENERATION', 'GRACED_NAME', 'GRACED_STOP_TIMEOUT', 'GRACED_WORKER'] %s.notify" % g.control, said)

    def test_a_worker_cannot_speak_to_the_managers_terminal(self):
        """Escape sequences in what it says of itself are shown, not obeyed."""
        g = self.switchable(habits=("status=\x1b[2Jgone", "mutter=\x1b]0;title\x07\x1b[2J", "ready-and-barrier", "serve"))
        text = g.run("status").stdout
        self.assertNotIn("\x1b", text)
        self.become("say=\x1b[2Jlast-words", "exit=3")
        said = g.reload().stderr
        self.assertIn("last-words", said)
        self.assertNotIn("\x1b", said)

    def test_an_adopted_worker_binds_no_path_that_its_user_could_not(self):
        os.mkdir(self.path("roots"))
        out = self.path("out")
        self.write("out", "", 0o666)
        script = self.write("app", '#!/usr/bin/python3\nimport socket\n'
                            's = socket.socket(socket.AF_UNIX)\n'
                            'try:\n    s.bind(%r)\n    said = "bound"\n'
                            'except OSError as e:\n    said = e.strerror\n'
                            'print(said, file=open(%r, "w"))\n'
                            'os = __import__("os")\nos.execv(%r, ["worker", "ready", "serve"])\n'
                            % (self.path("roots/app.sock"), out, WORKER), 0o755)
        g = self.graced("--user", str(NOBODY), "--adopt", "on", "--ready", "notify", options=(), command=(script,))
        with open(out) as f:
            self.assertEqual(f.read(), "Permission denied\n")
        self.assertEqual(os.listdir(self.path("roots")), [])
        self.assertEqual(g.end(), 0)


if __name__ == "__main__":
    main()
