"""A build that was deployed and crashes again and again, and serves in between: with each view alone one can say what
happened, when, why, and what serves now."""
import json, os, re, shutil, signal, time, unittest

from alone import ALONE, AloneCase, can_be_alone
from exported import Exporter
from harness import GRACED, WORKER, main, wait_until
from monitoring_test import Prometheus
from schema import assert_valid
from top_test import TOP, Terminal

PANIC = "panic: no database at db1:5432"
TIME = r"(\d+(\.\d+)?(us|ms|s)|\d+min( \d+s)?)"
AGO = TIME + " ago"
CLOCK = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class ThreeInTheMorning(AloneCase):
    def setUp(self):
        super().setUp()
        self.began = time.time()
        self.g = g = self.deployed()
        self.find(g)
        # What happened before it looked for the first time is another exporter's to count.
        self.exporter = self.exported(g)
        self.assertEqual(self.exporter.metrics()["graced_worker_crashes_total{name=\"shop\"}"], 0)
        for _ in range(4):
            self.crash(g)

    def deployed(self):
        """The second build lives until it hears a word, as another one does for two seconds."""
        os.mkfifo(self.path("life"))
        self.write("bad", '#!/bin/sh\n"%s" ready-and-barrier\nread word <"%s"\necho "%s" >&2\nexit 3\n' % (WORKER, self.path("life"), PANIC),
                   0o755)
        self.write("good", '#!/bin/sh\nexec "%s" ready serve\n' % WORKER, 0o755)
        self.build("good")
        g = self.graced("--ready", "notify", "--restart-delay", "1ms", "--start-limit", "1000/60s", command=(self.path("shop"),), name="shop")
        self.build("bad")
        self.assertEqual(g.reload().returncode, 0, g.said())
        return g

    def build(self, name):
        os.symlink(self.path(name), self.path("next"))
        os.rename(self.path("next"), self.path("shop"))

    def crash(self, g):
        """Its worker ends, and another one serves."""
        before = g.status()["restarts"]
        with open(self.path("life"), "w") as life:
            life.write("over\n")
        wait_until(lambda: (s := g.status())["restarts"] > before and s["phase"] == "serving", g.said)

    def exported(self, g, *options):
        e = Exporter("--control", g.control, *options, within=ALONE)
        self.addCleanup(e.close)
        return e

    def test_status(self):
        told = self.call("status", "shop").stdout
        self.assertTrue(told.startswith("shop  serving generation 2\n"), told)
        self.assertRegex(told, r"\n  reloads      1 done, 0 failed; 4 workers replaced\n")
        self.assertRegex(told, r"\n  last reload  generation 2 ready %s, after " % AGO)
        self.assertRegex(told, r"\n  last exit    worker 0 of generation 2 exited with status 3 after %s, %s\n +\| %s\n" % (TIME, AGO, PANIC))
        status = assert_valid("status", json.loads(self.call("status", "shop", "--json").stdout))
        self.tells(status)

    def tells(self, status):
        self.assertEqual((status["phase"], status["serving"], status["restarts"]), ("serving", 2, 4))
        last = status["last_exit"]
        self.assertEqual((last["generation"], last["status"], last["last_lines"]), (2, 3, [PANIC]))
        self.assertLess(last["age_s"], time.time() - self.began)

    def test_history(self):
        told = self.call("history", "shop").stdout
        crash = r"%s  worker 0 of generation 2 \(PID \d+\) exited with status 3 after %s\n +\| %s\n" % (CLOCK, TIME, PANIC)
        again = r"%s  generation 2 serves again\n" % CLOCK
        self.assertRegex(told, r"\A%s  generation 1 serves [^\n]*\n%s  generation 2 serves [^\n]*\n(%s%s){4}\Z" % (CLOCK, CLOCK, crash, again))

    def test_list(self):
        heading, line = self.call("list").stdout.splitlines()
        self.assertEqual(re.split(r"  +", heading)[:6], ["name", "phase", "generation", "age", "workers", "last"])
        self.assertRegex(line, r"\Ashop  serving  +2  \S.*  1  exit 3, %s  .*  "
                               r"worker 0 exited with status 3 after %s, 4 replaced so far: %s  " % (AGO, TIME, PANIC))
        listed, = assert_valid("list", json.loads(self.call("list", "--json").stdout))
        self.tells(listed)

    @unittest.skipUnless(shutil.which("tmux") and os.path.exists(TOP), "needs tmux and graced-top")
    def test_top(self):
        for columns in 80, 200:
            screen = Terminal(self, [*ALONE, GRACED, "top"], {**self.env, "TERM": "tmux-256color"}, columns)
            screen.shows(r"(?m)^shop +serving +2 +1 .* exit 3, %s" % AGO)
        screen.shows(r"worker 0 exited with status 3 after %s, 4 replaced so far: %s" % (TIME, PANIC))
        screen.press("Enter")
        screen.shows(r"(?s)shop  serving generation 2\n.*4 workers replaced.*last exit +worker 0 of generation 2 exited with status 3.*\| %s" % PANIC)

    def test_the_page_without_a_script(self):
        def text(exporter, path):
            status, _, page = exporter.ask(path)
            self.assertEqual(status, 200)
            return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))

        why = r"worker 0 exited with status 3 after %s, 4 replaced so far" % TIME
        crash = r"%s UTC (shop )?worker 0 of generation 2 \(PID \d+\) exited with status 3" % CLOCK
        # Whoever reaches the page is not shown what could be a secret, unless it was asked for.
        for exporter, words in ((self.exporter, ""), (self.exported(self.g, "--show-secrets"), ": " + PANIC)):
            page = text(exporter, "/")
            self.assertIn("1 instance, 1 to be looked at", page)
            self.assertRegex(page, r"shop serving 2 \S+( \S+)? 1 .* exit 3, %s : %s%s" % (AGO, why, words))
            self.assertRegex(page, crash)
            page = text(exporter, "/instances/shop")
            self.assertRegex(page, r"shop serving generation 2 .* last exit 3, %s trouble %s%s" % (AGO, why, words))
            self.assertRegex(page, r"Last crash Worker 0 of generation 2 exited with status 3 after %s, %s" % (TIME, AGO))
            self.assertRegex(page, crash)
            self.assertEqual(PANIC in page, bool(words))

    def test_metrics(self):
        m = self.exporter.metrics()
        self.assertEqual({name: m['graced_%s{name="shop"%s}' % name] for name in (
            ("phase", ',phase="serving"'), ("serving_generation", ""), ("worker_crashes_total", ""), ("worker_restarts_total", ""))},
            {("phase", ',phase="serving"'): 1, ("serving_generation", ""): 2, ("worker_crashes_total", ""): 4,
             ("worker_restarts_total", ""): 4})
        at = m['graced_last_exit_timestamp_seconds{name="shop",reason="status"}']
        self.assertTrue(self.began - 1 <= at <= time.time() + 1, at)

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
    def test_the_alert(self):
        prometheus = Prometheus(self.directory, self.exporter.address[1])
        self.addCleanup(prometheus.close)
        wait_until(lambda: prometheus.query("graced_up"))

        def raised():
            for alert in prometheus.alerts():
                if (alert["labels"]["alertname"], alert["state"]) == ("GracedCrashLoop", "firing"):
                    return alert

        def crashes_until_it_is_raised():
            self.crash(self.g)
            return raised()

        alert = wait_until(crashes_until_it_is_raised)
        self.assertEqual(alert["labels"]["name"], "shop")
        self.assertRegex(alert["annotations"]["summary"], r"^workers of shop on \S+ end again and again$")
        self.assertRegex(alert["annotations"]["description"],
                         r"^The last one ended at %s\S* \+0000 UTC \(reason: status\)\. See graced status shop there" % CLOCK)


@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class Deploys(AloneCase):
    """What the list alone tells of a deploy that went wrong."""

    def listed(self):
        return self.call("list").stdout.splitlines()[1]

    def test_a_reload_that_failed_with_the_last_word_of_the_candidate(self):
        g = self.switchable(name="shop")
        self.find(g)
        self.become("say=no-database", "exit=4")
        self.assertEqual(g.reload().returncode, 1)
        self.assertRegex(self.listed(), r"\Ashop  serving  +1  .*  1  reload failed %s  .*  exited with status 4 after %s, "
                                        r"before it was ready: no-database  " % (AGO, TIME))

    def test_a_generation_that_was_rolled_back(self):
        g = self.serving("--probation", "10min", name="shop")
        self.find(g)
        self.assertEqual(g.reload().returncode, 0)
        os.kill([w for w in g.workers("ready") if w["generation"] == 2][0]["pid"], signal.SIGSEGV)
        wait_until(lambda: g.status()["rollbacks"] == 1, g.said)
        self.assertRegex(self.listed(), r"\Ashop  serving  +1  .*  1  .*rolled back %s  .*  worker 0 killed by SIGSEGV" % AGO)


if __name__ == "__main__":
    main()
