"""--on EVENT=COMMAND: what a command is run for, what it is told, and that it never is in graced's way."""
import json, os, signal, socket, unittest
from harness import NOBODY, PATIENCE, WORKER, Case, alive, main, wait_until
from schema import assert_valid

# Leaves what it was told in a file of the event's name.
TELL = """#!/bin/sh
cat >"$OUT/$GRACED_EVENT.json.new"
env | grep -E '^(GRACED|LISTEN)_' >"$OUT/$GRACED_EVENT.env"
ls /proc/self/fd >"$OUT/$GRACED_EVENT.fds"
id -u >"$OUT/$GRACED_EVENT.uid"
mv "$OUT/$GRACED_EVENT.json.new" "$OUT/$GRACED_EVENT.json"
"""
EVERYTHING = "serving,reloaded,reload-failed,crashed,gave-up,stopping"


class Hooks(Case):
    def setUp(self):
        super().setUp()
        self.out = self.path("out")
        os.mkdir(self.out)
        os.chmod(self.directory, 0o755)
        os.chmod(self.out, 0o777)
        self.tell = self.write("tell", TELL, 0o755)

    def options(self, events=EVERYTHING, command=None):
        return ("--on", "%s=%s" % (events, command or self.tell), "--env", "OUT=" + self.out)

    def told(self, event):
        """What the hook for it was told: its standard input and its environment; once."""
        path = os.path.join(self.out, event + ".json")
        wait_until(lambda: os.path.exists(path), "no hook for %s has run" % event)
        with open(path) as f:
            said = assert_valid("event", json.load(f))
        with open(os.path.join(self.out, event + ".env")) as f:
            environment = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)
        os.unlink(path)
        self.assertEqual((said["schema"], said["event"], said["name"]), (1, event, "t"))
        self.assertEqual(environment["GRACED_EVENT"], event)
        self.assertRegex(said["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(environment["GRACED_EVENT_TIME"], said["time"])
        for name, member in (("GRACED_GENERATION", "generation"), ("GRACED_SERVING", "serving")):
            self.assertEqual(environment[name], "" if said[member] is None else str(said[member]))
        return said, environment

    def hanging(self, name="hangs"):
        return self.write(name, '#!/bin/sh\necho $$ >"%s"\nexec sleep 1000\n' % self.path(name + ".pid"), 0o755)

    def test_each_event_runs_its_command_and_tells_what_happened(self):
        g = self.switchable(*self.options())
        said, environment = self.told("serving")
        self.assertEqual((said["generation"], said["serving"], said["reason"]), (1, 1, None))
        self.assertEqual((environment["GRACED_NAME"], environment["GRACED_CONTROL"]), ("t", g.control))

        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        said, _ = self.told("reloaded")
        self.assertEqual((said["generation"], said["serving"], said["reason"]), (2, 2, None))

        self.become("say=no-database", "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        said, environment = self.told("reload-failed")
        self.assertEqual((said["generation"], said["serving"]), (3, 2))
        self.assertIn("exited with status 3", said["reason"])
        self.assertEqual(said["last_lines"], ["no-database"])
        self.assertEqual(environment["GRACED_REASON"].split("\n")[0], said["reason"])

        self.become("ready", "serve")
        pid = g.workers("ready")[0]["pid"]
        os.kill(pid, signal.SIGSEGV)
        said, _ = self.told("crashed")
        self.assertEqual((said["generation"], said["worker"], said["worker_pid"]), (2, 0, pid))
        self.assertIn("killed by SIGSEGV", said["reason"])
        said, _ = self.told("serving")  # again, after a time without a worker
        self.assertEqual(said["serving"], 2)

        self.assertEqual(g.end(), 0)
        said, _ = self.told("stopping")
        self.assertEqual((said["reason"], said["by"]["signal"]), (None, "SIGTERM"))
        self.assertFalse(os.path.exists(os.path.join(self.out, "gave-up.json")))

    def test_a_start_that_fails_runs_the_command_before_graced_is_gone(self):
        g = self.graced(*self.options(), command=(WORKER, "say=no-licence", "exit=4"), wait=False)
        self.assertEqual(g.process.wait(PATIENCE), 1)
        self.assertTrue(os.path.exists(os.path.join(self.out, "gave-up.json")), g.said())
        said, _ = self.told("gave-up")
        self.assertIn("exited with status 4", said["reason"])
        self.assertEqual(said["last_lines"], ["no-licence"])

    def test_what_is_wrong_before_there_is_a_worker_is_told_as_well(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = "127.0.0.1:%d" % taken.getsockname()[1]
            g = self.graced(*self.options(), options=("-l", where), command=(WORKER, "ready", "serve"), wait=False)
            self.assertNotEqual(g.process.wait(PATIENCE), 0)
        said, _ = self.told("gave-up")
        self.assertIn(where, said["reason"])
        self.assertIsNone(said["serving"])

    def test_a_command_gets_no_socket_and_no_descriptor_but_the_standard_ones(self):
        g = self.serving(*self.options("serving"))
        _, environment = self.told("serving")
        self.assertEqual([name for name in environment if name.startswith("LISTEN_")], [])
        self.assertNotIn("GRACED_WORKER", environment)
        with open(os.path.join(self.out, "serving.fds")) as f:
            descriptors = f.read().split()
        self.assertEqual(descriptors[:3], ["0", "1", "2"])
        self.assertEqual(len(descriptors), 4)  # and the directory that ls reads
        g.end()

    @unittest.skipUnless(os.geteuid() == 0, "only root becomes another user")
    def test_a_command_runs_as_the_user_of_the_workers(self):
        g = self.serving("--user", str(NOBODY), *self.options("serving"))
        self.told("serving")
        with open(os.path.join(self.out, "serving.uid")) as f:
            self.assertEqual(int(f.read()), NOBODY)
        g.end()

    def test_a_command_that_hangs_does_not_keep_graced_from_anything(self):
        g = self.switchable(*self.options("serving", self.hanging()), *self.options("reloaded"))
        hangs = self.pid_in("hangs.pid")
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("generation 2 ", g.ask())
        self.assertFalse(os.path.exists(os.path.join(self.out, "reloaded.json")))  # one at a time
        os.kill(hangs, signal.SIGKILL)
        self.told("reloaded")
        self.assertIn("hook for serving (%s) killed by SIGKILL" % self.path("hangs"), g.said())
        self.assertEqual(g.end(), 0)

    def test_a_second_stop_does_not_wait_for_a_command(self):
        g = self.serving(*self.options("stopping", self.hanging()))
        worker = g.workers("ready")[0]["pid"]
        g.signal(signal.SIGTERM)
        hangs = self.pid_in("hangs.pid")
        wait_until(lambda: not alive(worker), g.said)
        self.assertTrue(alive(g.pid))
        wait_until(lambda: "stopped as asked" in g.said(), g.said)
        self.assertEqual(g.end(), 0)
        wait_until(lambda: not alive(hangs), g.said)

    def test_a_command_that_fails_is_told_with_its_last_line(self):
        g = self.serving(*self.options("serving", self.write("fails", "#!/bin/sh\necho no network >&2\nexit 7\n", 0o755)))
        wait_until(lambda: "hook for serving (%s) exited with status 7: no network" % self.path("fails") in g.said(), g.said)
        self.assertEqual(g.status()["phase"], "serving")
        g.end()

    def test_why_a_command_fails_is_told_whether_it_says_so_at_stdout_or_stderr(self):
        for name, script, others in (("talks", "echo one; echo no network", ("one", "no network")),
                                     ("complains", "echo no network >&2; echo bye", ("no network", "bye"))):
            fails = self.write(name, "#!/bin/sh\n%s\nexit 7\n" % script, 0o755)
            g = self.serving(*self.options("serving", fails), name=name)
            wait_until(lambda: "hook for serving (%s) exited with status 7: no network" % fails in g.said(), g.said)
            for line in others:
                self.assertIn("\n%s\n" % line, g.said())
            g.end()

    def test_a_command_that_is_not_there_is_told_and_the_next_one_runs(self):
        g = self.serving(*self.options("serving", "/nonexistent/hook"), *self.options("serving"))
        self.told("serving")
        self.assertIn("hook for serving (/nonexistent/hook) could not be started: exec /nonexistent/hook", g.said())
        g.end()

    def test_a_reload_brings_its_hooks_once_it_serves(self):
        config = self.write("app.conf", "on = reload-failed=%s\nenv = OUT=%s\n" % (self.path("old"), self.out))
        for name in ("old", "new"):
            self.write(name, '#!/bin/sh\ncat >/dev/null\necho $$ >"%s"\n' % self.path(name + ".pid"), 0o755)
        g = self.switchable("--config", config)
        self.write("app.conf", "on = reload-failed=%s\n" % self.path("new"))
        self.become("exit=1")
        self.assertEqual(g.reload().returncode, 1)
        self.pid_in("old.pid")
        self.assertFalse(os.path.exists(self.path("new.pid")))
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        self.become("exit=1")
        os.unlink(self.path("old.pid"))
        self.assertEqual(g.reload().returncode, 1)
        self.pid_in("new.pid")
        self.assertFalse(os.path.exists(self.path("old.pid")))
        g.end()

    def test_what_a_command_leaves_behind_is_no_workers(self):
        """A hook is a child of graced's as a worker is; nobody takes it for what a candidate has started."""
        g = self.switchable(*self.options("serving", self.hanging()))
        hangs = self.pid_in("hangs.pid")
        self.become("ready", "exit=0")
        self.assertEqual(g.reload().returncode, 1)
        self.assertTrue(alive(hangs))
        self.assertNotIn("of it goes on", g.said())
        os.kill(hangs, signal.SIGKILL)
        g.end()

    def test_when_too_many_wait_the_oldest_is_left_out(self):
        many = [word for _ in range(34) for word in ("--on", "reload-failed=true")]
        g = self.switchable(*self.options("serving", self.hanging()), *many)
        hangs = self.pid_in("hangs.pid")
        self.become("exit=1")
        self.assertEqual(g.reload().returncode, 1)
        self.assertEqual(g.said().count("hook for reload-failed (true) is left out: 32 others wait"), 2)
        os.kill(hangs, signal.SIGKILL)
        self.assertEqual(g.end(), 0)

    def test_a_word_that_is_no_event_is_refused(self):
        self.assert_refused(["--on", "no event is called 'reladed'", "did you mean 'reloaded'?"],
                            "run", "--on", "reladed=true", "--", WORKER)


if __name__ == "__main__":
    main()
