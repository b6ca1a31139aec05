"""What somebody else than root and graced's own user is shown by each view: states, and why, for everybody; last words and
command lines, which may hold secrets, not."""
import json, os, re, shutil, subprocess, unittest

from alone import ALONE, AloneCase, can_be_alone
from exported import Events, Exporter
from harness import GRACED, NO_PRIVILEGE, NOBODY, PATIENCE, WORKER, main, wait_until
from schema import assert_valid
from top_test import TOP, Terminal

SECRET = "hunter2"
NOBODYS = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")


@unittest.skipUnless(os.geteuid() == 0, "becoming somebody else takes root")
@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class Strangers(AloneCase):
    def setUp(self):
        super().setUp()
        # Secrets in the command line and in that of the check, in what a worker that serves has said, in the last words of a
        # candidate that failed and of a worker that crashed.
        os.mkfifo(self.path("life"))
        self.write("app", '#!/bin/sh\necho token=%s >&2\n[ ! -e "%s" ] || exit 4\n"%s" ready-and-barrier\nread word <"%s"\nexit 3\n'
                   % (SECRET, self.path("broken"), WORKER, self.path("life")), 0o755)
        self.g = g = self.graced("--ready", "notify", "--restart-delay", "1ms", "--output", "prefix", "--check",
                                 "sh -c 'true password=%s'" % SECRET, command=(self.path("app"), "--password=" + SECRET), name="shop")
        self.find(g)
        for path, mode in ((self.directory, 0o755), (self.path("run"), 0o755), (self.path("run/graced"), 0o755),
                           (self.path("run/graced/shop"), 0o755), (g.control, 0o666)):
            os.chmod(path, mode)

    def fail(self, g):
        """A crash, after which it serves again, and a reload that fails."""
        with open(self.path("life"), "w") as life:
            life.write("over\n")
        wait_until(lambda: (s := g.status())["restarts"] == 1 and s["phase"] == "serving", g.said)
        self.write("broken", "")
        self.assertEqual(g.reload().returncode, 1)

    def as_nobody(self, *words):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        r = subprocess.run([*ALONE, *NOBODYS, GRACED, *words], capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                           env={**environment, **self.env}, cwd="/")
        self.assertNotIn(SECRET, r.stdout + r.stderr)
        return r

    def shown(self, *words):
        """What nobody is shown, and root as well, beside secrets."""
        r = self.as_nobody(*words)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertIn(SECRET, self.call(*words).stdout)
        return r.stdout

    def test_status(self):
        self.fail(self.g)
        told = self.shown("status", "shop")
        self.assertIn("shop  serving generation 1\n", told)
        self.assertRegex(told, r"last reload  generation 2 failed .*exited with status 4")
        self.assertRegex(told, r"last exit    worker 0 of generation 1 exited with status 3")
        status = assert_valid("status", json.loads(self.shown("status", "shop", "--json")))
        self.assertEqual((status["command"], status["last_exit"]["last_lines"], status["workers"][0]["last_lines"]), (None, [], []))
        self.assertEqual((status["last_exit"]["status"], status["restarts"], status["failed_reloads"]), (3, 1, 1))

    def test_list(self):
        self.fail(self.g)
        told = self.shown("list")
        self.assertRegex(told, r"(?m)^shop  serving  +1 .* reload failed \S+( \S+)? ago .* exited with status 4")
        self.assertNotIn("app", told)
        listed, = assert_valid("list", json.loads(self.shown("list", "--json")))
        self.assertEqual((listed["phase"], listed["command"]), ("serving", None))

    def test_history(self):
        self.fail(self.g)
        told = self.shown("history", "shop")
        self.assertRegex(told, r"worker 0 of generation 1 .*exited with status 3")
        self.assertRegex(told, r"generation 2 failed .*exited with status 4")
        self.shown("history", "shop", "--json")

    def test_events(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}
        followers = [subprocess.Popen([*ALONE, *who, GRACED, "events", "shop", "--json", "--until", "reload-failed"], stdout=subprocess.PIPE,
                                      stdin=subprocess.DEVNULL, text=True, env={**environment, **self.env}, cwd="/") for who in (NOBODYS, ())]
        for f in followers:
            self.addCleanup(lambda f=f: (f.poll() is None and f.kill(), f.wait(), f.stdout.close()))
        begin = [f.stdout.readline() for f in followers]
        self.assertTrue(all("instance-found" in line for line in begin), begin)
        self.fail(self.g)
        told, all_told = (f.communicate(timeout=PATIENCE)[0] for f in followers)
        self.assertNotIn(SECRET, told)
        self.assertIn(SECRET, all_told)
        events = [assert_valid("event", json.loads(line)) for line in told.splitlines()]
        self.assertIn(("crashed", 3), [(e["event"], e["status"]) for e in events])
        self.assertIn("exited with status 4", events[-1]["reason"])

    def test_logs(self):
        wait_until(lambda: SECRET in self.call("logs", "shop").stdout, self.g.said)
        r = self.as_nobody("logs", "shop")
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertIn("only root may do this, you are uid %d" % NOBODY, r.stderr)

    @unittest.skipUnless(shutil.which("tmux") and os.path.exists(TOP), "needs tmux and graced-top")
    def test_top(self):
        self.fail(self.g)
        for who in NOBODYS, ():
            screen = Terminal(self, [*ALONE, *who, GRACED, "top"], {**self.env, "TERM": "tmux-256color"}, columns=200, rows=60)
            lists = screen.shows(r"shop +serving +1 .* reload failed .* exited with status 4")
            screen.press("Enter")
            opened = screen.shows(r"(?s)graced top  shop\n.*last exit +worker 0 of generation 1 exited with status 3.*history")
            self.assertEqual([SECRET in lists, SECRET in opened], [not who, not who])

    def test_exporter(self):
        """Though it is asked to tell all that it is told."""
        everything = {}
        for who in NO_PRIVILEGE, ():
            e = Exporter("--control", self.g.control, "--show-secrets", within=who, env={"XDG_RUNTIME_DIR": self.path("none")})
            self.addCleanup(e.close)
            events = Events(e)
            self.addCleanup(events.close)
            events.wait("instance-found")
            everything[who] = e, events
        self.fail(self.g)
        for who, (e, events) in everything.items():
            _, failed = events.wait("reload-failed")
            answers = [json.dumps(failed), *(e.ask(path)[2] for path in (
                "/", "/instances/shop", "/api/v1/instances", "/api/v1/instances/shop", "/api/v1/instances/shop/history", "/metrics"))]
            self.assertEqual([SECRET in a for a in answers], [not who] * 6 + [False])
            self.assertTrue(all(re.search("exited with status 4", a) for a in answers[:-1]))
            self.assertIn('graced_phase{name="shop",phase="serving"} 1', answers[-1])


if __name__ == "__main__":
    main()
