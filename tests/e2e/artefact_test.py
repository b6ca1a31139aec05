"""A generation is an artefact: what it was when it was prepared is what its replaced workers run, whatever has come
to lie at the path since. What cannot be held is told."""
import os, shutil, signal, unittest
from harness import Case, WORKER, descriptors, main, wait_for_no_more_descriptors, wait_until

PYTHON = "/usr/bin/python3"  # the test's own may be a script that starts another
BROKEN = "#!/bin/sh\necho no such table: orders >&2\nexit 1\n"


class Artefact(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)

    def script(self, build, before=""):
        return '#!/bin/sh\n%sBUILD=%s exec "%s" ready serve\n' % (before, build, WORKER)

    def release(self, number, text):
        os.makedirs(self.path("releases/%s" % number), exist_ok=True)
        return self.write("releases/%s/app" % number, text, 0o755)

    def point(self, link, target):
        os.symlink(target, self.path("link.new"))
        os.rename(self.path("link.new"), self.path(link))

    def kill_worker(self, g, which=0):
        """The serving worker that was killed is followed by another one."""
        old = g.workers("ready")[which]["pid"]
        all_of_them = len(g.workers("ready"))
        os.kill(old, signal.SIGKILL)

        def replaced():
            pids = [w["pid"] for w in g.workers("ready")]
            return len(pids) == all_of_them and old not in pids and pids[-1]
        return wait_until(replaced, g.said)

    def assert_old_build_comes_back(self, g, words="build old"):
        self.assertIn(words, g.ask())
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        for _ in range(2):
            pid = self.kill_worker(g)
            self.assertIn("generation 1 " + words, g.ask())
        self.assertEqual(g.status()["failed_reloads"], 1)
        return pid

    def assert_new_build_is_deployed(self, g, words="build new"):
        r = g.reload()
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.soon(words, g.ask)
        self.kill_worker(g)
        self.assertIn(words, g.ask())


class RefusedBuild(Artefact):
    def test_by_a_symbolic_link_to_the_file(self):
        self.release("old", self.script("old"))
        bad = self.release("bad", BROKEN)
        self.point("app", "releases/old/app")
        g = self.graced(command=(self.path("app"),))
        self.point("app", "releases/bad/app")
        self.assert_old_build_comes_back(g)
        self.assertEqual(g.status()["executable"], os.path.realpath(self.path("releases/old/app")))
        self.assertEqual(g.status()["command"], self.path("app"))
        self.release("bad", self.script("new"))
        self.assert_new_build_is_deployed(g)
        self.assertEqual(g.status()["executable"], os.path.realpath(bad))

    def test_by_a_symbolic_link_to_the_directory(self):
        self.release("old", self.script("old", 'cd "$(dirname "$0")" && pwd -P >where && '))
        self.release("bad", BROKEN)
        self.point("current", "releases/old")
        g = self.graced(command=(self.path("current/app"),))
        self.point("current", "releases/bad")
        self.assert_old_build_comes_back(g)
        self.assertIn(os.path.realpath(self.path("releases/old/app")), g.run("status").stdout)
        # Its own name is one that stays, so it finds what lies beside it.
        with open(self.path("releases/old/where")) as f:
            self.assertEqual(f.read().strip(), os.path.realpath(self.path("releases/old")))
        self.release("bad", self.script("new"))
        self.assert_new_build_is_deployed(g)

    def test_by_a_rename_over_the_script(self):
        self.write("app", self.script("old"), 0o755)
        g = self.graced(command=("./app",))
        self.write("app", BROKEN, 0o755)
        self.assert_old_build_comes_back(g)
        self.assertTrue(g.status()["executable_replaced"])
        self.assertEqual(g.status()["changed_files"], [])
        self.assertIn("this does not lead to it any more", g.run("status").stdout)
        self.assertIn("runs the file that generation 1 was prepared with", g.said())
        self.write("app", self.script("new"), 0o755)
        self.assert_new_build_is_deployed(g)
        self.assertFalse(g.status()["executable_replaced"])

    def test_by_a_rename_over_the_program(self):
        """Its name, its argv[0] and what it is are as before."""
        shutil.copy(PYTHON, self.path("app"))
        g = self.graced(command=("./app", "-SE", WORKER, "ready", "serve"), options=("-l", "127.0.0.1:0", "--env", "BUILD=old"))

        def looks(pid):
            with open("/proc/%d/comm" % pid) as comm, open("/proc/%d/cmdline" % pid) as words:
                return comm.read().strip(), words.read().split("\0")[:2], os.stat("/proc/%d/exe" % pid).st_ino
        before = looks(g.workers()[0]["pid"])
        self.assertEqual(before[:2], ("app", ["./app", "-SE"]))
        shutil.copy("/bin/false", self.path("app.new"))
        os.rename(self.path("app.new"), self.path("app"))
        after = looks(self.assert_old_build_comes_back(g))
        if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 14):
            before, after = before[1:], after[1:]  # older kernels name it by the number of the descriptor
        self.assertEqual(after, before)

    def test_by_another_directory_of_the_same_name(self):
        self.release("1", self.script("old", "pwd -P >where; "))
        self.release("2", BROKEN)
        g = self.graced("--chdir", self.path("releases/1"), command=("./app",))
        os.rename(self.path("releases/1"), self.path("releases/0"))
        os.rename(self.path("releases/2"), self.path("releases/1"))
        self.assert_old_build_comes_back(g)
        with open(self.path("releases/0/where")) as f:
            self.assertEqual(f.read().strip(), os.path.realpath(self.path("releases/0")))
        self.release("1", self.script("new"))
        self.assert_new_build_is_deployed(g)

    def test_by_another_program_found_earlier_in_path(self):
        self.release("late", self.script("old"))
        g = self.graced("--env", "PATH=%s:%s:/bin:/usr/bin" % (self.path("releases/early"), self.path("releases/late")),
                        command=("app",))
        self.release("early", BROKEN)
        self.assert_old_build_comes_back(g)
        self.release("early", self.script("new"))
        self.assert_new_build_is_deployed(g)

    def test_the_old_release_is_removed_with_its_directory(self):
        self.release("old", self.script("old"))
        self.point("current", "releases/old")
        g = self.graced("--chdir", self.path("current"), command=("./app",))
        shutil.rmtree(self.path("releases/old"))
        self.kill_worker(g)
        self.assertIn("build old", g.ask())
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("chdir %s: No such file or directory" % self.path("current"), r.stderr)
        self.kill_worker(g)
        self.assertIn("generation 1 build old", g.ask())

    def test_by_a_file_written_over_is_told(self):
        """The same file with other contents: nobody can hold that."""
        self.write("app", self.script("old"), 0o755)
        g = self.graced(command=("./app",))
        self.assertEqual(g.status()["changed_files"], [])
        with open(self.path("app"), "a") as f:
            f.write("# more\n")
        self.assertEqual(g.status()["changed_files"], [os.path.realpath(self.path("app"))])
        self.kill_worker(g)
        self.assertIn("may run other code than generation 1 was prepared with: " + os.path.realpath(self.path("app")), g.said())

    def test_of_several_workers_all_run_the_same(self):
        self.release("1", self.script("old$FLAG"))
        self.release("2", self.script("new$FLAG"))
        self.point("current", "releases/1")
        self.write("env", "FLAG=1\n")
        g = self.graced("-w", "3", "--env-file", self.path("env"), command=(self.path("current/app"),))
        self.point("current", "releases/2")
        self.write("env", "FLAG=2\n")
        self.kill_worker(g)
        self.assertEqual({g.ask().split()[-1] for _ in range(30)}, {"old1"})
        self.assertEqual(g.reload().returncode, 0)
        self.soon("build new2", g.ask)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to start one as somebody else")
    def test_for_a_user_who_may_not_go_where_graced_may(self):
        self.release("late", self.script("old"))
        self.release("early", BROKEN)
        os.chmod(self.path("releases/early"), 0o700)  # the search goes on, as exec's would
        g = self.graced("--user", "nobody", "--env", "PATH=%s:%s:/bin:/usr/bin" % (self.path("releases/early"), self.path("releases/late")),
                        command=("app",))
        self.assertIn("build old", g.ask())
        self.write("releases/late/app", BROKEN, 0o755)
        self.assert_old_build_comes_back(g)
        self.write("releases/late/app", self.script("new"), 0o700)
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("exec app: Permission denied", r.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become somebody else")
    def test_without_any_privilege(self):
        self.write("app", self.script("old"), 0o755)
        g = self.graced(command=("./app",), preexec=self.as_nobody)
        self.write("app", BROKEN, 0o755)
        self.assert_old_build_comes_back(g)

    def test_adopted(self):
        self.write("app", '#!/bin/sh\nexec %s -m http.server --bind 127.0.0.1 %d\n' % (PYTHON, 0), 0o755)
        g = self.graced(command=("./app",), options=())
        self.write("app", BROKEN, 0o755)
        self.assertEqual(g.reload().returncode, 1)
        self.kill_worker(g)
        self.assertTrue(g.status()["executable_replaced"])

    def test_nothing_is_held_after_a_reload(self):
        self.write("app", self.script("old"), 0o755)
        g = self.graced(command=("./app",))
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: len(g.workers()) == 1)
        before = descriptors(g.pid)
        for _ in range(10):
            self.write("app", self.script("new"), 0o755)
            self.assertEqual(g.reload().returncode, 0)
            self.write("app", BROKEN, 0o755)
            self.assertEqual(g.reload().returncode, 1)
        wait_until(lambda: len(g.workers()) == 1)
        wait_for_no_more_descriptors(g.pid, before)


class Scripts(Artefact):
    """Each with another one at its path by now."""

    def comes_back(self, first_line, body, name="t"):
        self.write("app", "%s\n%s" % (first_line, body), 0o755)
        g = self.graced(command=("./app", "one", "two"), options=("--ready", "notify"), name=name)
        self.write("app", BROKEN, 0o755)
        self.assertEqual(g.reload().returncode, 1)
        pid = self.kill_worker(g)
        return g, pid

    SAY = ('s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ["NOTIFY_SOCKET"])\n'
           's.send(("STATUS=%s\\nREADY=1" % " ".join(WORDS)).encode())\nsignal.pause()\n')

    def status_of(self, g):
        return wait_until(lambda: g.workers("ready")[0]["status"])

    def test_python_finds_the_modules_beside_it(self):
        self.write("beside.py", "name = 'beside'\n")
        g, _ = self.comes_back("#!%s -B" % PYTHON, "import os, signal, socket, sys, beside\nWORDS = [beside.name, *sys.argv[1:]]\n" + self.SAY)
        self.assertEqual(self.status_of(g), "beside one two")

    def test_an_interpreter_that_env_finds(self):
        self.write("beside.py", "name = 'beside'\n")
        g, _ = self.comes_back("#!/usr/bin/env -S PATH=/usr/bin python3 -B",
                               "import os, signal, socket, sys, beside\nWORDS = [beside.name, *sys.argv[1:]]\n" + self.SAY)
        self.assertEqual(self.status_of(g), "beside one two")

    @unittest.skipUnless(shutil.which("perl", path="/usr/bin"), "there is no perl")
    def test_perl_twice(self):
        """It reads the descriptor itself, from where that stands."""
        body = ('use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); connect($s, sockaddr_un($ENV{NOTIFY_SOCKET}));\n'
                'send($s, "STATUS=@ARGV\\nREADY=1", 0); sleep 1000;\n')
        g, _ = self.comes_back("#!/usr/bin/perl", body)
        self.kill_worker(g)
        self.assertEqual(self.status_of(g), "one two")

    def test_what_a_script_of_sh_finds_beside_it(self):
        self.write("beside", 'exec "%s" "status=$1,$2" ready serve\n' % WORKER)
        g, _ = self.comes_back("#!/bin/sh", 'cd / && . "$(dirname "$0")/beside"\n')
        self.assertEqual(self.status_of(g), "one,two")

    def test_shells(self):
        for name, shell in (("t1", "/bin/sh"), ("t2", "/bin/bash -e")):
            with self.subTest(shell):
                g, _ = self.comes_back("#!" + shell, 'exec "%s" "status=$1,$2" ready serve\n' % WORKER, name)
                self.assertEqual(self.status_of(g), "one,two")

    @unittest.skipUnless(shutil.which("node", path="/usr/bin"), "there is no node")
    def test_node_cannot_and_is_told_about(self):
        """It asks for the real path of what it runs, and a file without a name has none."""
        self.write("app", "#!/usr/bin/env node\nsetInterval(() => 0, 1000)\n", 0o755)
        g = self.graced(command=("./app",), options=("--ready", "after:100ms"))
        self.write("app", "#!/usr/bin/env node\nsetInterval(() => 0, 1001)\n", 0o755)
        self.assertEqual(g.status()["changed_files"], [os.path.realpath(self.path("app"))])
        self.kill_worker(g)
        self.assertIn("may run other code than generation 1 was prepared with", g.said())


class Arguments(Artefact):
    """Files that the interpreter opens: not to be held, so it is told."""

    def test_a_changed_argument_is_told_when_it_matters(self):
        self.write("server.py", 'import os\nos.execv("%s", ["worker", "ready", "serve"])\n' % WORKER)
        g = self.graced(command=(PYTHON, "server.py"))
        self.assertEqual(g.status()["changed_files"], [])
        self.assertNotIn("changed since", g.run("status").stdout)
        self.kill_worker(g)
        self.assertNotIn("changed since", g.said())
        self.write("server.py", 'import os\nos.environ["BUILD"] = "new"\nos.execv("%s", ["worker", "ready", "serve"])\n' % WORKER)
        self.assertEqual(g.status()["changed_files"], ["server.py"])
        self.assertIn("a replacement would run files changed since: server.py", g.run("status").stdout)
        self.assertNotIn("changed since", g.said())
        self.kill_worker(g)
        self.assertRegex(g.said(), "warning.*generation 1.*may run other code .*: server.py changed since")
        self.assertEqual(g.reload().returncode, 0)
        self.soon("build new", g.ask)
        self.assertEqual(g.status()["changed_files"], [])
        os.unlink(self.path("server.py"))
        self.assertEqual(g.status()["changed_files"], ["server.py"])

    def test_an_argument_behind_a_symbolic_link_that_was_moved(self):
        for release in "12":
            os.makedirs(self.path("releases/" + release))
            self.write("releases/%s/server.py" % release, 'import os\nos.execv("%s", ["worker", "ready", "serve"])\n' % WORKER)
        self.point("current", "releases/1")
        g = self.graced(command=(PYTHON, self.path("current/server.py")))
        self.point("current", "releases/2")
        self.assertEqual(g.status()["changed_files"], [self.path("current/server.py")])

    def test_relative_arguments_are_held_with_the_directory(self):
        for release in "12":
            os.makedirs(self.path("releases/" + release))
            self.write("releases/%s/server.py" % release, 'import os\nos.environ["BUILD"] = "%s"\nos.execv("%s", ["worker", "ready", "serve"])\n' % (release, WORKER))
        self.point("current", "releases/1")
        g = self.graced("--chdir", self.path("current"), command=(PYTHON, "server.py"))
        self.point("current", "releases/2")
        self.assertEqual(g.status()["changed_files"], [])
        self.kill_worker(g)
        self.assertIn("build 1", g.ask())
        self.assertEqual(g.reload().returncode, 0)
        self.soon("build 2", g.ask)

    def test_a_virtual_environment_behind_a_symbolic_link_that_was_moved(self):
        for release in "12":
            os.makedirs(self.path("releases/%s/venv/bin" % release))
            self.write("releases/%s/venv/pyvenv.cfg" % release, "home = /usr/bin\n")
            os.symlink(PYTHON, self.path("releases/%s/venv/bin/python" % release))
        self.point("current", "releases/1")
        g = self.graced(command=(self.path("current/venv/bin/python"), "-SE", WORKER, "ready", "serve"))
        self.point("current", "releases/2")
        self.assertEqual(g.status()["changed_files"], [self.path("current/venv/pyvenv.cfg")])


class StartingPlace(Artefact):
    """Started from a directory behind a symbolic link, as a shell is in it."""

    def started_in(self, link, *options, **more):
        environment = {"PWD": self.path(link), "BUILD": ""}
        go = lambda: os.chdir(self.path(link))
        return self.graced(*options, env=environment, preexec=go, **more)

    def two_releases(self):
        self.release("1", self.script("old$(basename $(pwd -P))"))
        self.release("2", self.script("new$(basename $(pwd -P))"))
        self.point("current", "releases/1")

    def test_a_reload_runs_what_the_link_leads_to_then(self):
        self.two_releases()
        g = self.started_in("current", command=("./app",))
        self.assertIn("build old1", g.ask())
        self.point("current", "releases/2")
        self.kill_worker(g)
        self.assertIn("build old1", g.ask())
        self.assert_new_build_is_deployed(g, "build new2")
        shutil.rmtree(self.path("releases/1"))
        self.assert_new_build_is_deployed(g, "build new2")

    def test_files_that_a_reload_reads_are_those_of_the_new_release(self):
        self.two_releases()
        for release in "12":
            self.write("releases/%s/graced.conf" % release, "command = ./app %s\nenv-file = env\n" % release)
            self.write("releases/%s/env" % release, "X=1\n")
        g = self.started_in("current", "--config", "graced.conf")
        self.point("current", "releases/2")
        shutil.rmtree(self.path("releases/1"))
        self.assert_new_build_is_deployed(g, "build new2")
        self.assertEqual(g.status()["command"], "./app 2")
        self.assertEqual(g.end(), 0)

    def test_the_check_runs_where_the_candidate_will(self):
        self.two_releases()
        for release, script in (("1", "exit 7"), ("2", 'pwd -P >"%s"' % self.path("checked"))):
            self.write("releases/%s/check" % release, "#!/bin/sh\n%s\n" % script, 0o755)
        g = self.started_in("current", "--check", "./check", command=("./app",))
        self.point("current", "releases/2")
        self.assert_new_build_is_deployed(g, "build new2")
        with open(self.path("checked")) as f:
            self.assertEqual(f.read().strip(), os.path.realpath(self.path("releases/2")))

    def test_a_name_that_leads_nowhere_fails_the_reload_with_words(self):
        self.two_releases()
        g = self.started_in("current", command=("./app",))
        os.unlink(self.path("current"))
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("the directory that graced was started in, %s: No such file or directory" % self.path("current"), r.stderr)
        self.kill_worker(g)
        self.assertIn("build old1", g.ask())

    def test_chdir_needs_no_name(self):
        self.two_releases()
        g = self.started_in("current", "--chdir", self.path("releases/2"), command=("./app",))
        os.unlink(self.path("current"))
        self.assertEqual(g.reload().returncode, 0)
        self.soon("generation 2 build new2", g.ask)

    def test_a_name_of_another_place_is_not_believed(self):
        self.two_releases()
        os.mkdir(self.path("elsewhere"))
        go = lambda: os.chdir(self.path("current"))
        for i, name in enumerate((self.path("elsewhere"), "current", "")):
            with self.subTest(name):
                g = self.graced(env={"PWD": name}, preexec=go, command=("./app",), name="t%d" % i)
                self.point("current", "releases/2")
                self.assertEqual(g.reload().returncode, 0)
                self.soon("generation 2 build old1", g.ask)
                self.point("current", "releases/1")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be where others may not look")
    def test_a_worker_of_another_user_starts_where_graced_is(self):
        """Nobody may enter it, but it is there already, as without graced."""
        place = self.path("private")
        os.mkdir(place, 0o700)
        g = self.graced("--user", "nobody", command=(WORKER, "ready", "serve"), env={"PWD": place}, preexec=lambda: os.chdir(place))
        self.assertEqual(os.readlink("/proc/%d/cwd" % g.workers()[0]["pid"]), os.path.realpath(place))
        self.assertEqual(g.reload().returncode, 0)


if __name__ == "__main__":
    main()
