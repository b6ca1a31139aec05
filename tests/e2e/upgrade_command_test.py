"""graced upgrade as a command: whom it asks, what it says, how it ends, and what others are told."""
import os, re, shutil, signal, subprocess, unittest
from alone import ALONE, AloneCase, can_be_alone
from events_test import RELOAD, Followed
from harness import GRACED, NOBODY, PATIENCE, for_everybody, main, wait_until
from schema import assert_valid
from upgrading import NEXT, NEXT_VERSION, UpgradeCase, bad_image


def version_of(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


VERSION = version_of(GRACED)
UPGRADED = "version %s, upgraded from %s\n" % (NEXT_VERSION, VERSION)


class Command(UpgradeCase):
    def test_what_it_says_and_what_status_says_then(self):
        g = self.serving()
        self.assertIsNone(assert_valid("status", g.status())["upgraded_from"])
        answer = self.upgrade(g)
        self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "t: " + UPGRADED, ""))
        self.assertRegex(g.run("status").stdout, r"version %s, upgraded from %s \S+ ago\n" % (re.escape(NEXT_VERSION), re.escape(VERSION)))
        status = assert_valid("status", g.status())
        self.assertEqual((status["version"], status["upgraded_from"], status["upgrades"], status["failed_upgrades"]),
                         (NEXT_VERSION, VERSION, 1, 0))
        self.assertLess(status["upgraded_s"], PATIENCE)
        self.assertEqual({**status["last_upgrade"], "age_s": 0}, {"ok": True, "why": "", "from": VERSION, "to": NEXT_VERSION, "age_s": 0})
        event = assert_valid("event", self.history(g)[-1])
        self.assertEqual((event["event"], event["reason"], event["by"]["how"]),
                         ("upgraded", "from %s to %s" % (VERSION, NEXT_VERSION), "control"))
        self.assertIn("graced was upgraded from %s to %s; asked at the control socket by " % (VERSION, NEXT_VERSION), g.run("history").stdout)

    def test_one_that_fails_is_told_as_long_as_none_has_followed(self):
        g = self.serving()
        bad = bad_image(self.path("bad"), "aborts-after")
        answer = self.upgrade(g, bad)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertEqual(answer.stdout, "")
        self.assertRegex(answer.stderr, r"\Agraced: upgrade of 't' failed: %s: it was hit by SIGABRT[^\n]*\n\Z" % re.escape(bad))
        self.assertRegex(g.run("status").stdout, r"\n  upgrade +to \S+ failed \S+ ago: %s: it was hit by SIGABRT" % re.escape(bad))
        status = assert_valid("status", g.status())
        self.assertEqual((status["version"], status["upgrades"], status["failed_upgrades"], status["last_upgrade"]["ok"]), (VERSION, 0, 1, False))
        self.assertEqual(assert_valid("event", self.history(g)[-1])["event"], "upgrade-failed")
        self.upgraded(g)
        self.assertNotIn("failed", re.findall(r"\n  upgrade .*", g.run("status").stdout))

    def test_check_says_what_would_come_of_it_and_leaves_no_trace(self):
        g = self.serving()
        before = g.status()
        answer = self.upgrade(g, NEXT, "--check")
        self.assertEqual((answer.returncode, answer.stdout), (0, "t: version %s can take the place of %s\n" % (NEXT_VERSION, VERSION)), answer.stderr)
        answer = self.upgrade(g, self.path("missing"), "--check")
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("trial of 't' failed: %s: No such file or directory" % self.path("missing"), answer.stderr)
        answer = self.upgrade(g, bad_image(self.path("bad"), "refuses"), "--check")
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("it does not read states of format 1", answer.stderr)
        self.assert_image(g, GRACED)
        after = g.status()
        for name in "version", "upgraded_from", "last_upgrade", "upgrades", "failed_upgrades":
            self.assertEqual(after[name], before[name])
        self.assertNotIn("upgrade-failed", self.kinds(g))

    def test_without_a_file_it_is_what_lies_where_its_own_did(self):
        own = self.path("own")
        shutil.copy(GRACED, own)
        g = self.serving(within=("sh", "-c", 'shift; "$0" "$@"; exit $?', own))
        self.assertEqual(os.readlink("/proc/%d/exe" % g.pid), own)
        # As a package manager does it: the old one has no name any more.
        shutil.copy(NEXT, self.path("own.new"))
        os.rename(self.path("own.new"), own)
        self.assertEqual(os.readlink("/proc/%d/exe" % g.pid), own + " (deleted)")
        answer = g.run("upgrade")
        self.assertEqual((answer.returncode, answer.stdout), (0, "t: " + UPGRADED), answer.stderr)
        self.assertEqual(os.readlink("/proc/%d/exe" % g.pid), own)
        answer = g.run("upgrade")  # the same again
        self.assertEqual(answer.stdout, "t: version %s, upgraded from %s\n" % (NEXT_VERSION, NEXT_VERSION), answer.stderr)

    def test_a_relative_path_is_one_of_the_askers(self):
        g = self.serving()
        shutil.copy(NEXT, self.path("next"))
        answer = g.run("upgrade", "--binary", "./next", cwd=self.directory)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assert_image(g, self.path("next"))

    def test_no_such_instance_and_wrong_usage(self):
        answer = self.run_graced("upgrade", "--control", self.path("nobody"))
        self.assertEqual(answer.returncode, 3, answer.stderr)
        for words, why in ((("--all", "app"), "--all and 'app' both say which instance"), (("--opted-in",), "--opted-in is for --all"),
                           (("--wait", "soon"), "--wait soon: "), (("--binary", ""), "--binary")):
            answer = self.run_graced("upgrade", *words)
            self.assertEqual(answer.returncode, 2, answer.stderr)
            self.assertIn(why, answer.stderr)

    def test_while_it_waits_status_says_for_what_and_its_asker_may_give_up(self):
        g = self.switchable()
        self.become("sleep=1000")
        reload = self.reloading(g)
        wait_until(lambda: g.status()["candidate"] and g.workers("starting"), g.said)
        answer = self.upgrade(g, NEXT, "--wait", "200ms")
        self.assertEqual(answer.returncode, 4, answer.stderr)
        self.assertEqual(answer.stderr, "graced: gave up waiting for the upgrade of 't', which goes on\n")
        self.assertRegex(g.run("status").stdout, r"\n  upgrade +waits for worker 0 of generation 2 to be ready\n")
        self.assertEqual(assert_valid("status", g.status())["upgrade_waits_for"], "worker 0 of generation 2 to be ready")
        self.assertEqual(g.run("abort").returncode, 0)
        reload.communicate(timeout=PATIENCE)
        wait_until(lambda: g.status()["version"] == NEXT_VERSION, g.said)
        self.assertIsNone(g.status()["upgrade_waits_for"])

    def test_a_command_of_on_is_waited_for_and_runs_for_an_upgrade(self):
        told = self.path("told")
        g = self.serving("--on", "upgraded,upgrade-failed=sh -c 'echo $GRACED_EVENT $GRACED_REASON >>%s'" % told,
                         "--on", "reloaded=sh -c 'until test -e %s; do sleep 0.02; done'" % self.path("go"))
        self.assertEqual(g.run("reload").returncode, 0, g.said())
        upgrade = self.upgrading(g)
        wait_until(lambda: g.status()["upgrade_waits_for"] == "a command of --on", g.said)
        self.write("go", "")
        self.done(upgrade)
        self.assertEqual(self.upgrade(g, self.path("missing")).returncode, 1)

        def lines():
            with open(told) as f:
                return f.read().splitlines()
        wait_until(lambda: os.path.exists(told) and len(lines()) == 2, g.said)
        self.assertEqual(lines()[0], "upgraded from %s to %s" % (VERSION, NEXT_VERSION))
        self.assertIn("upgrade-failed %s: No such file" % self.path("missing"), lines()[1])

    def test_somebody_else_is_refused(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        g = self.serving()
        os.chmod(self.directory, 0o755)
        words = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", for_everybody(GRACED), "upgrade", "--control", g.control]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertRegex(answer.stderr, r"\Agraced: upgrade of 't' refused: only root may do this, you are uid \d+\n\Z")
        self.assertEqual(self.kinds(g), ["serving"])

    def test_a_path_that_the_instance_cannot_mean_is_refused_at_the_socket(self):
        g = self.serving()
        if not shutil.which("busctl"):
            self.skipTest("needs busctl")
        answer = subprocess.run(["busctl", "--address=unix:path=" + g.control, "call", "org.graced.Supervisor1", "/org/graced/Supervisor1",
                                 "org.graced.Supervisor1", "Upgrade", "sbs", "graced", "false", "mine"], capture_output=True, text=True)
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("must be absolute", answer.stderr)


class Others(UpgradeCase, Followed):
    def test_who_follows_is_told_and_misses_nothing(self):
        g = self.serving()
        follower = self.following(g)
        for binary in NEXT, GRACED, NEXT:
            self.upgraded(g, binary)
        self.assertEqual(g.run("reload").returncode, 0, g.said())
        follower.first("reloaded")
        self.assertEqual([w for w in follower.words() if w in ("instance-found", "instance-gone", "events-missed", "upgraded", "reloaded")],
                         ["instance-found", "upgraded", "upgraded", "upgraded", "reloaded"])

    def following_and_not_reading(self):
        """While there was an upgrade, and a whole reload after it."""
        g = self.serving()
        follower = self.following(g)
        follower.process.send_signal(signal.SIGSTOP)
        self.upgraded(g)
        self.assertEqual(g.run("reload").returncode, 0, g.said())
        wait_until(lambda: g.status()["serving"] == 2 and {w["generation"] for w in g.workers()} == {2}, g.said)
        return g, follower

    def test_who_follows_and_does_not_read_for_long_is_told_all_the_same(self):
        _, follower = self.following_and_not_reading()
        follower.process.send_signal(signal.SIGCONT)
        follower.first("gone")
        self.assertEqual(follower.words(), ["instance-found", "upgraded"] + RELOAD)

    def test_who_follows_and_does_not_read_over_two_upgrades_is_told_that_some_is_missing(self):
        g, follower = self.following_and_not_reading()
        self.upgraded(g, GRACED)
        follower.process.send_signal(signal.SIGCONT)
        follower.first("upgraded", after=4)
        self.assertEqual(follower.words(), ["instance-found", "events-missed", "instance-found", "upgraded", "reloaded", "upgraded"])

    def test_who_reads_lines_reads_on(self):
        g = self.serving("--output", "prefix", "--check", "sh -c 'echo checked'")
        reader = subprocess.Popen([GRACED, "logs", "--control", g.control, "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (reader.poll() is None and reader.kill(), reader.communicate()))
        lines = iter(reader.stdout.readline, "")
        for binary in NEXT, GRACED:
            self.upgraded(g, binary)
            self.assertEqual(g.run("reload").returncode, 0, g.said())
            self.assertTrue(any("checked" in line for line in lines))
        self.assertEqual(g.end(), 0)
        _, err = reader.communicate(timeout=PATIENCE)
        self.assertEqual((reader.returncode, err), (0, "graced: 't' has ended\n"))

    @unittest.skipUnless(can_be_alone(), "needs a mount namespace")
    def test_who_waits_for_a_reload_with_all_of_them_waits_on(self):
        g = self.in_a_usual_place(self.serving("--canary", "50%/1h", name="shop"))
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}, **self.env}
        asker = subprocess.Popen([*ALONE, GRACED, "reload", "--all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.addCleanup(lambda: (asker.poll() is None and asker.kill(), asker.communicate()))
        wait_until(lambda: g.status()["canary"] or asker.poll() is not None, g.said)
        self.upgraded(g)
        self.upgraded(g, GRACED)
        self.assertIsNone(asker.poll())
        self.assertEqual(g.run("abort").returncode, 0)
        out, err = asker.communicate(timeout=PATIENCE)
        self.assertEqual((asker.returncode, out), (1, ""), err)
        self.assertRegex(err, r"\Agraced: reload of 'shop' failed: [^\n]*aborted by [^\n]*; generation 1 still serves\n\Z")


@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class All(AloneCase, UpgradeCase):
    def test_all_of_them_each_with_a_line(self):
        self.start("one", "two")
        answer = self.call("upgrade", "--all", "--binary", NEXT)
        self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "one: %stwo: %s" % (UPGRADED, UPGRADED), ""))
        # One that cannot be upgraded does not keep the others from it.
        answer = self.call("upgrade", "--all", "--binary", self.path("missing"))
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertEqual(len(answer.stderr.splitlines()), 2, answer.stderr)
        answer = self.call("upgrade", "--all", "--check")
        self.assertEqual((answer.returncode, answer.stdout),
                         (0, "".join("%s: version %s can take the place of %s\n" % (n, NEXT_VERSION, NEXT_VERSION) for n in ("one", "two"))))

    def test_without_any_instance(self):
        answer = self.call("upgrade", "--all")
        self.assertEqual(answer.returncode, 3)
        self.assertIn("no graced is running", answer.stderr)
        answer = self.call("upgrade", "--all", "--opted-in")
        self.assertEqual((answer.returncode, answer.stdout, answer.stderr), (0, "", ""))

    def test_those_that_have_opted_in_and_the_others_are_named(self):
        self.start("other")
        self.find(self.serving("--self-upgrade", name="opted"))
        answer = self.call("upgrade", "--all", "--opted-in", "--binary", NEXT)
        # `other` runs the file that the command is of.
        self.assertEqual((answer.returncode, answer.stdout), (0, "opted: " + UPGRADED), answer.stderr)
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("GRACED_")}, **self.env}
        answer = subprocess.run([*ALONE, NEXT, "upgrade", "--all", "--opted-in"], capture_output=True, text=True, timeout=PATIENCE, env=environment)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertEqual(answer.stdout.splitlines(), ["opted: version %s, upgraded from %s" % (NEXT_VERSION, NEXT_VERSION),
                                                      "other still runs graced " + VERSION])


if __name__ == "__main__":
    main()
