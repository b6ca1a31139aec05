"""What a reload reads again, and what a worker is started with."""
import os, signal, socket, subprocess, unittest

from alone import can_be_alone
from harness import Case, GRACED, Manager, NOBODY, PATIENCE, WORKER, ask, main, wait_until


class Reread(Case):
    def config(self, **lines):
        text = "".join("%s = %s\n" % (k.replace("_", "-"), v) for k, v in lines.items())
        return self.write("app.conf", text)

    def start(self, **lines):
        conf = self.config(**lines)
        return self.graced("--config", conf, options=())

    def test_a_new_command_worker_count_and_timeouts_belong_to_the_candidate(self):
        g = self.start(listen="127.0.0.1:0", command="'%s' ready serve" % WORKER, env="BUILD=one")
        self.assertIn("build one", g.ask())
        self.config(listen="127.0.0.1:0", command="'%s' ready serve" % WORKER, env="BUILD=two", workers=2)
        self.assertIn("build one", g.ask())
        self.assertEqual(g.reload().returncode, 0)
        self.soon("build two", lambda: g.ask())
        self.assertEqual(len(g.workers("ready")), 2)

    def test_a_bad_line_changes_nothing_and_is_named(self):
        g = self.start(listen="127.0.0.1:0", command="'%s' ready serve" % WORKER)
        for line, words in (("drian-timeout = 5s", ("app.conf:3", "drian-timeout", "drain-timeout")),
                            ("drain-timeout = soon", ("app.conf:3", "soon")),
                            ("listen = 127.0.0.1:port", ("app.conf:3", "port")),
                            ("pid-file = /elsewhere", ("pid-file", "cannot change"))):
            with self.subTest(line):
                self.write("app.conf", "listen = 127.0.0.1:0\ncommand = '%s' ready serve\n%s\n" % (WORKER, line))
                r = g.reload()
                self.assertEqual(r.returncode, 1)
                for word in words:
                    self.assertIn(word, r.stderr)
                self.assertIn("generation 1 ", g.ask())

    def test_a_missing_file_at_reload_changes_nothing(self):
        g = self.start(listen="127.0.0.1:0", command="'%s' ready serve" % WORKER)
        os.remove(self.path("app.conf"))
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("app.conf: No such file or directory", r.stderr)
        self.assertIn("generation 1 ", g.ask())

    def with_fifo(self, *options):
        """graced, whose environment file has become a FIFO that nobody writes to."""
        env = self.write("env", "BUILD=one\n")
        g = self.serving("--env-file", env, "--restart-delay", "10ms", *options)
        os.remove(env)
        os.mkfifo(env)
        return g, env

    def test_while_a_reload_waits_for_a_fifo_graced_goes_on_with_its_other_work(self):
        g, env = self.with_fifo("--ready-timeout", "10min")
        reload = self.reloading(g)
        g.wait("RELOADING=1")
        first = g.workers()[0]["pid"]
        self.assertIn("build one", g.ask())
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != first])
        with open(env, "w") as fifo:
            fifo.write("BUILD=two\n")
        self.assertEqual(reload.wait(PATIENCE), 0)
        self.soon("build two", lambda: g.ask())

    def test_a_fifo_that_nobody_writes_to_fails_the_reload_and_is_named(self):
        g, env = self.with_fifo("--ready", "after:0s", "--ready-timeout", "200ms")  # which then counts for the file only
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("not prepared within 200ms: %s could not be read in that time" % env, r.stderr)
        self.assertIn("build one", g.ask())
        self.assertEqual(g.end(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "becoming somebody else takes root")
    @unittest.skipUnless(can_be_alone(), "needs a mount namespace")
    def test_a_user_database_that_does_not_answer_fails_the_reload_and_nothing_else(self):
        """As that of a directory service may that is down."""
        os.chmod(self.directory, 0o755)
        g = self.serving("--ready", "after:0s", "--ready-timeout", "8s", "--user", str(NOBODY), within=("unshare", "--mount", "--fork"))

        def inside(*command):
            subprocess.run(["nsenter", "--mount", "--target", str(g.pid), "--", *command], check=True, timeout=PATIENCE)

        silent = self.path("silent")
        os.mkfifo(silent)
        inside("mount", "--bind", silent, "/etc/passwd")
        reload = self.reloading(g)
        wait_until(lambda: g.status()["candidate"], g.said)
        self.assertEqual(g.status()["phase"], "reloading", g.said())  # and it is told at once
        _, why = reload.communicate(timeout=PATIENCE)
        self.assertEqual(reload.returncode, 1, why)
        self.assertIn("not prepared within 8s: user '%d' could not be looked up in that time" % NOBODY, why)
        self.assertIn("generation 1 ", g.ask())
        inside("umount", "/etc/passwd")
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.soon("generation 3 ", g.ask)
        self.assertEqual(g.end(), 0)

    def test_a_start_that_waits_for_a_fifo_can_be_ended(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        g = self.serving("--env-file", fifo, wait=False)
        opens = {"x86_64": "257", "aarch64": "56"}[os.uname().machine]  # openat(2)

        def waits():
            with open("/proc/%d/syscall" % g.pid) as f:
                return f.read().split()[0] == opens

        wait_until(waits)
        self.assertEqual(g.end(signal.SIGINT), -signal.SIGINT)

    def test_the_mark_that_some_editors_put_first_is_no_part_of_a_name(self):
        env = self.path("env")
        with open(env, "wb") as f:
            f.write(b"\xef\xbb\xbfBUILD=marked\r\n")
        config = self.path("app.conf")
        with open(config, "wb") as f:
            f.write(b"\xef\xbb\xbfenv-file = %s\n" % env.encode())
        g = self.serving("--config", config)
        self.assertIn("build marked", g.ask())

    def test_an_address_comes_and_goes_while_the_other_stays(self):
        a, b = self.path("a.sock"), self.path("b.sock")
        command = "'%s' ready serve" % WORKER
        g = self.start(listen="unix:" + a, command=command)
        self.write("app.conf", "listen = unix:%s\nlisten = unix:%s\ncommand = %s\n" % (a, b, command))
        self.assertFalse(os.path.exists(b))
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 2 ", lambda: ask(a))
        self.soon("generation 2 ", lambda: ask(b))
        self.write("app.conf", "listen = unix:%s\ncommand = %s\n" % (b, command))
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 3 ", lambda: ask(b))
        self.assertFalse(os.path.exists(a))
        self.assertEqual(g.end(), 0)
        self.assertFalse(os.path.exists(b))

    def test_a_new_address_that_is_taken_fails_the_reload_and_its_neighbours_are_closed_again(self):
        command = "'%s' ready serve" % WORKER
        a, fresh = self.path("a.sock"), self.path("fresh.sock")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            g = self.start(listen="unix:" + a, command=command)
            self.write("app.conf", "listen = unix:%s\nlisten = unix:%s\nlisten = 127.0.0.1:%d\ncommand = %s\n"
                       % (a, fresh, port, command))
            r = g.reload()
            self.assertEqual(r.returncode, 1)
            self.assertIn("in use by", r.stderr)
            self.assertIn("PID %d" % os.getpid(), r.stderr)
            self.assertIn("generation 1 ", ask(a))
            self.assertFalse(os.path.exists(fresh))

    def test_options_of_an_open_address_change_with_the_reload_or_fail_it(self):
        a = self.path("a.sock")
        command = "'%s' ready serve" % WORKER
        g = self.start(listen="unix:%s,mode=0600" % a, command=command)
        self.write("app.conf", "listen = unix:%s,mode=0640\ncommand = %s\n" % (a, command))
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(os.stat(a).st_mode & 0o777, 0o640)
        self.write("app.conf", "listen = unix:%s,mode=0640,nonblock\ncommand = %s\n" % (a, command))
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("nonblock", r.stderr)
        self.soon("generation 2 ", lambda: ask(a))

    def test_a_candidate_that_fails_takes_its_new_address_with_it(self):
        a, b = self.path("a.sock"), self.path("b.sock")
        g = self.start(listen="unix:" + a, command="'%s' ready serve" % WORKER)
        self.write("app.conf", "listen = unix:%s\nlisten = unix:%s\ncommand = '%s' exit=1\n" % (a, b, WORKER))
        self.assertEqual(g.reload().returncode, 1)
        self.assertFalse(os.path.exists(b))
        self.assertIn("generation 1 ", ask(a))

    def test_env_file_and_symlink_are_seen_by_the_next_generation_only(self):
        self.write("env", "BUILD=old\n")
        os.symlink(WORKER, self.path("current"))
        g = self.graced("--env-file", self.path("env"), command=(self.path("current"), "ready", "serve"))
        self.assertIn("build old", g.ask())
        self.write("env", "BUILD=new\n")
        self.assertIn("build old", g.ask())
        self.assertEqual(g.reload().returncode, 0)
        self.soon("build new", lambda: g.ask())
        other = self.write("other", '#!/bin/sh\nBUILD=other exec "%s" "$@"\n' % WORKER, 0o755)
        os.remove(self.path("current"))
        os.symlink(other, self.path("current"))
        self.soon("build new", lambda: g.ask())
        self.assertEqual(g.reload().returncode, 0)
        self.soon("build other", lambda: g.ask())

    def test_the_environment_of_a_respawned_worker_is_its_generations(self):
        self.write("env", "BUILD=old\n")
        g = self.graced("--env-file", self.path("env"), "--restart-delay", "10ms", command=(WORKER, "ready", "serve"))
        first = g.workers()[0]["pid"]
        self.write("env", "BUILD=new\n")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != first])
        self.assertIn("build old", g.ask())


class WhatAWorkerSees(Case):
    def see(self, script, *options, env=None, **more):
        """What a shell script in the worker's place prints into `out`."""
        self.write("app", '#!/bin/sh\n%s\nexec "%s" ready serve\n' % (script.replace("@", self.path("out")), WORKER), 0o755)
        g = self.graced(*options, command=(self.path("app"), *more.pop("arguments", ())), env=env, **more)
        with open(self.path("out")) as f:
            return g, f.read()

    def test_sockets_with_names_and_its_own_variables_and_nothing_of_graceds(self):
        env = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1", "LISTEN_PID": "1", "LISTEN_FDS": "7", "KEEP": "me",
               "JOURNAL_STREAM": "8:1", "GRACED_WORKERS": "1"}
        g, out = self.see('env > @; echo "pid=$$" >> @; readlink /proc/self/fd/3 >> @',
                          "-l", "unix:%s,name=web" % self.path("x.sock"), "-l", "127.0.0.1:0,name=api", env=env, options=())
        seen = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        self.assertEqual(seen["LISTEN_FDS"], "2")
        self.assertEqual(seen["LISTEN_PID"], seen["pid"])
        self.assertEqual(seen["LISTEN_FDNAMES"], "web:api")
        self.assertEqual(seen["GRACED_NAME"], "t")
        self.assertEqual(seen["GRACED_GENERATION"], "1")
        self.assertEqual(seen["GRACED_WORKER"], "0")
        self.assertEqual(seen["KEEP"], "me")
        self.assertNotEqual(seen["NOTIFY_SOCKET"], g.manager.path)
        for gone in ("WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "GRACED_WORKERS"):
            self.assertNotIn(gone, seen)
        self.assertIn("socket:[", out)

    def test_only_the_descriptors_it_was_meant_to_have(self):
        stray = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, stray)
        os.set_inheritable(stray, True)
        out = self.path("out")
        script = self.write("app", '''#!/usr/bin/python3 -SE
import os
with open("%s", "w") as f:
    f.write(" ".join(os.readlink("/proc/self/fd/%%d" %% n) for n in range(3, 1024) if os.path.lexists("/proc/self/fd/%%d" %% n)))
os.execv("%s", ["worker.py", "ready", "serve"])
''' % (out, WORKER), 0o755)
        self.graced(pass_fds=(stray,), command=(script,))
        with open(out) as f:
            seen = f.read().split()
        self.assertEqual([s.split(":")[0] for s in seen if s != out], ["socket"])

    def test_it_leads_its_own_process_group_and_hears_signals(self):
        self.serving(habits=("write=%s:{self:Sig}" % self.path("out"), "ready", "serve"))
        with open(self.path("out")) as f:
            pid, group, *masks = f.read().split()
        self.assertEqual(pid, group)
        masks = dict(zip(masks[::2], masks[1::2]))
        self.assertEqual(int(masks["SigBlk:"], 16), 0)
        # Python itself ignores SIGPIPE (and SIGXFSZ).
        self.assertEqual(int(masks["SigIgn:"], 16) & ~(1 << signal.SIGPIPE - 1) & ~(1 << signal.SIGXFSZ - 1), 0)

    def test_directory_umask_limits_and_descriptor_numbers(self):
        os.mkdir(self.path("there"))
        g, out = self.see('pwd > @; umask >> @; ulimit -n >> @; echo "$1 $NUMBER" >> @', "--chdir", self.path("there"),
                          "--umask", "027", "--rlimit", "nofile=77", "-l", "127.0.0.1:0,name=http",
                          "--env", "NUMBER={fd:http}", options=(), arguments=("--fd={fd:http}",))
        self.assertEqual(out.split(), [os.path.realpath(self.path("there")), "0027", "77", "--fd=3", "3"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become another user")
    def test_another_user(self):
        os.chmod(self.directory, 0o755)
        self.write("out", "", 0o666)
        g, out = self.see('id -u > @; id -g >> @; id -G >> @; echo "$USER $HOME" >> @', "--user", "nobody")
        self.assertEqual(out.split()[:2], ["65534", "65534"])
        self.assertIn("nobody /nonexistent", out)
        self.assertEqual(g.reload().returncode, 0)

    def test_many_sockets_in_their_order(self):
        listen = []
        for i in range(100):
            listen += ["-l", "unix:%s,name=s%d" % (self.path("s%d" % i), i)]
        g, out = self.see('echo $LISTEN_FDNAMES > @; ls /proc/$$/fd | wc -l >> @', *listen, options=())
        self.assertEqual(out.splitlines()[0], ":".join("s%d" % i for i in range(100)))
        for i in (0, 57, 99):
            self.assertIn("generation 1 ", ask(self.path("s%d" % i)))
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 2 ", lambda: ask(self.path("s99")))
        self.assertEqual(g.end(), 0)
        self.assertEqual([f for f in os.listdir(self.directory) if f.startswith("s")], [])


class Sockets(Case):
    def test_every_kind_answers(self):
        g = self.serving("-l", "127.0.0.1:0", "-l", "[::1]:0", "-l", "0", "-l", "unix:" + self.path("u"),
                         "-l", "unix:@graced-test-%d" % os.getpid(), options=())
        for i in range(5):
            self.assertIn("generation 1 ", g.ask(i))
        self.assertEqual(g.reload().returncode, 0)
        for i in range(5):
            self.soon("generation 2 ", lambda: g.ask(i))

    def test_datagrams_reach_the_worker(self):
        script = self.write("app", r"""#!/usr/bin/python3 -SE
import os, socket
s = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.connect(os.environ["NOTIFY_SOCKET"]); n.send(b"READY=1")
while True:
    for x in s:
        data, who = x.recvfrom(100)
        x.sendto(b"generation " + os.environ["GRACED_GENERATION"].encode() + b" got " + data, who)
""", 0o755)
        g = self.graced("-l", "udp:127.0.0.1:0", options=(), command=(script,))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(30)
            s.connect(g.address())
            s.send(b"hello")
            self.assertEqual(s.recv(100), b"generation 1 got hello")
            self.assertEqual(g.reload().returncode, 0)
            # Whoever holds the old generation's last recvfrom may take one more.
            wait_until(lambda: len(g.workers()) == 1)
            s.send(b"again")
            self.assertEqual(s.recv(100), b"generation 2 got again")

    def test_sockets_graced_was_given_are_passed_on_with_their_names(self):
        with socket.create_server(("127.0.0.1", 0)) as given:
            port = given.getsockname()[1]
            # LISTEN_PID must be graced's own: a shell that execs knows it.
            launcher = self.write("launch", '#!/bin/sh\nLISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "%s" "$@"\n'
                                  % GRACED, 0o755)
            out = self.path("out")
            self.launch(launcher, given, ("--", WORKER, "write=%s:{env:LISTEN_FDNAMES}" % out, "ready", "serve"))
            self.assertIn("generation 1 ", ask(("127.0.0.1", port)))
            with open(out) as f:
                self.assertEqual(f.read(), "web\n")

    def launch(self, launcher, given, arguments):
        manager = Manager(self.path("m"))
        self.addCleanup(manager.close)
        fd = os.dup(given.fileno())

        def place():
            os.dup2(fd, 3)
        env = dict(os.environ, NOTIFY_SOCKET=manager.path)
        p = subprocess.Popen([launcher, "run", "--name", "i", "--control", self.path("c"), *arguments], env=env,
                             preexec_fn=place, close_fds=False, stderr=subprocess.DEVNULL)
        os.close(fd)

        def end():
            p.terminate()
            p.wait(PATIENCE)
        self.addCleanup(end)
        manager.wait("READY=1")
        return p

    def test_fd_n_is_taken_from_whoever_started_graced(self):
        with socket.create_server(("127.0.0.1", 0)) as given:
            g = self.serving("-l", "fd:%d,name=web" % given.fileno(), options=(), pass_fds=(given.fileno(),))
            self.assertIn("generation 1 ", ask(given.getsockname()))
            self.assertEqual(g.reload().returncode, 0)
            self.soon("generation 2 ", lambda: ask(given.getsockname()))

    def test_a_stale_socket_file_is_replaced_and_a_live_one_is_not(self):
        path = self.path("x.sock")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        g = self.serving("-l", "unix:" + path, options=())
        self.assertIn("generation 1 ", ask(path))
        r = self.run_graced("run", "--name", "other", "--control", self.path("c2"), "-l", "unix:" + path, "--", WORKER, "serve")
        self.assertEqual(r.returncode, 1)
        self.assertIn("in use by", r.stderr)
        self.assertIn("generation 1 ", ask(path))
        self.assertEqual(g.end(), 0)
        self.assertFalse(os.path.exists(path))

    def test_mode_of_a_socket_file(self):
        path = self.path("x.sock")
        self.serving("-l", "unix:%s,mode=0640" % path, options=())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)


if __name__ == "__main__":
    main()
