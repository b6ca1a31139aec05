"""The page of graced-exporter as a person sees it, in a real Chromium."""
import os, re, signal, tempfile

from browser import Browser, need_browser
from exported import ExportedCase
from harness import PATIENCE, main, wait_until

browsers = {}
directory = None


def setUpModule():
    global directory
    need_browser()
    directory = tempfile.TemporaryDirectory(prefix="graced-test-browser-")


def tearDownModule():
    for browser in browsers.values():
        browser.close()
    directory.cleanup()


def browser(javascript=True):
    if javascript not in browsers:
        browsers[javascript] = Browser("%s/%s" % (directory.name, javascript), javascript)
    return browsers[javascript]


class Page(ExportedCase):
    def shoot(self, seen, name):
        for size in "desktop", "phone":
            for look in "light", "dark":
                page, window = seen.shoot(name, look, size)
                self.assertLessEqual(page, window, "it is wider than a %s" % size)

    def story(self):
        """An instance of which generation 2 was loaded, 3 failed, 2 was rolled back and drains, and a browser that saw it."""
        g = self.switchable("--probation", "10min", "--drain-timeout", "10min", "--env", "LEAVE_FILE=" + self.path("leave"))
        e = self.exporter(g)
        seen = browser()
        seen.open(e, "/instances/t")
        seen.wait("#live", "live")
        seen.driver.execute_script("window.stays = true")
        seen.wait(".row .label", "1 serving")

        self.become("ready", "serve-late")
        self.assertEqual(g.reload().returncode, 0)
        self.assertIn("1 standby", seen.wait(".row .label", "2 serving"))
        self.become("exit=3")
        self.assertEqual(g.reload().returncode, 1)
        seen.wait(".row .label", "3 failed")
        self.assertIn("2 serving", seen.texts(".row .label"))
        self.assertEqual(g.run("rollback").returncode, 0)
        seen.wait(".row .label", "2 draining")
        self.assertIn("1 serving", seen.texts(".row .label"))
        return g, e, seen

    def test_a_reload_a_failed_one_and_a_rollback_are_seen_on_a_page_that_is_left_open(self):
        g, e, seen = self.story()
        self.assertTrue(seen.driver.execute_script("return window.stays"), "the page was loaded anew")
        first, second, third = reversed(seen.attributes(".row .bands[role]", "aria-label"))
        self.assertRegex(first, r"^generation 1: start from .*; serving from .*; standby from .*; serving from .* on, for ")
        self.assertRegex(second, r"^generation 2: start from .*; serving from .* to .*; draining from .* on, for .*; rolled back at ")
        self.assertRegex(third, r"^generation 3: start from .*; failed at .*exited with status 3")
        self.assertEqual((len(seen.texts("svg.mark.failed")), len(seen.texts("svg.mark.rolled-back"))), (1, 1))
        history = seen.texts(".history tr.failed")
        self.assertTrue(any("generation 2 was rolled back" in line for line in history), history)
        self.assertTrue(any("generation 3 failed" in line for line in history), history)
        self.shoot(seen, "instance")

        # It is killed, and that is seen as well.
        self.assertEqual(g.run("hammer").returncode, 0)
        seen.wait(".row .label", "2 killed")
        self.assertEqual(len(seen.texts("svg.mark.gone")), 1)
        self.assertEqual(seen.said(), [])

    def test_without_a_script_it_shows_the_same(self):
        g, e, seen = self.story()
        plain = browser(javascript=False)
        plain.open(e, "/instances/t")
        for css in ".phase", ".row .label", "td[data-label=state]", "h2":
            self.assertEqual(plain.elements_text(css), seen.texts(css))
        self.assertEqual(plain.elements_text("#live"), [""])
        looked, = plain.elements_text(".looked")
        self.assertRegex(looked, r"^Looked at [\d-]+ [\d:]+ UTC\.$")
        plain.open(e, "/")
        seen.open(e, "/")
        seen.wait("#live", "live")
        for css in ".phase", ".name", "h1", "td[data-label=generation]":
            self.assertEqual(plain.elements_text(css), seen.texts(css))

    def test_all_instances_are_seen_with_those_in_trouble(self):
        well, down, hung = (self.serving(name=name) for name in ("well", "down", "hung"))
        failing = self.switchable("--restart-delay", "10min", name="failing")
        e = self.exporter(well, down, hung, failing)
        seen = browser()
        seen.open(e, "/")
        seen.wait("h1", "4 instances, all is well")
        self.become("exit=4")
        self.assertEqual(failing.reload().returncode, 1)
        seen.wait("tr.trouble", "exited with status 4")
        seen.wait("h1", "4 instances, 1 to be looked at")
        hung.signal(signal.SIGSTOP)
        self.addCleanup(lambda: hung.process.poll() is None and hung.signal(signal.SIGCONT))
        seen.wait("tr.trouble .phase", "silent")
        wait_until(lambda: "2 to be looked at" in seen.driver.title)
        for worker in down.workers():
            self.addCleanup(self.end_of, worker["pid"])
        down.process.kill()
        down.process.wait()
        seen.wait("tr.trouble .phase", "gone")
        self.assertIn("it crashed, or was killed", seen.texts("td.outcome"))
        self.shoot(seen, "instances")
        self.assertEqual(seen.said(), [])
        e.end()
        seen.wait("#live", "has not answered since")
        seen.shoot("exporter-ended")

    def test_a_canary_is_seen_while_it_lasts(self):
        g = self.switchable("--canary", "50%/1h")
        e = self.exporter(g)
        seen = browser()
        seen.open(e, "/instances/t")
        seen.wait("#live", "live")
        self.become("ready", "serve")
        self.reloading(g)
        self.assertIn("1 serving", seen.wait(".row .label", "2 canary"))
        self.assertRegex(" ".join(seen.texts("dd")), r"50% of new connections, step 1 of 1, 5\dmin .*left")
        # When its start ended only its history can tell, later, unless a look has come in between.
        self.assertRegex(seen.attributes(".row .bands[role]", "aria-label")[0], "^generation 2: .*canary from .* on, for ")
        self.shoot(seen, "canary")
        self.assertEqual(g.run("abort").returncode, 0)
        self.assertIn("1 serving", seen.wait(".row .label", "2 failed"))
        failed = seen.attributes(".row .bands[role]", "aria-label")[0]
        self.assertRegex(failed, "start from .*; canary from .* to .*; failed at .*aborted")
        self.assertEqual(seen.said(), [])

    def test_batches_are_seen_while_the_old_workers_of_the_first_leave(self):
        g = self.switchable("-w", "4", "--max-surge", "2", "--drain-timeout", "10min", "--env", "LEAVE_FILE=" + self.path("leave"),
                            habits=("ready", "serve-late"))
        e = self.exporter(g)
        seen = browser()
        seen.open(e, "/instances/t")
        seen.wait("#live", "live")
        self.become("ready", "serve")
        asker = self.reloading(g)
        seen.wait("dd", "1 of 2 serve")
        seen.wait("td[data-label=state]", "draining")
        self.assertIn("1 serving", seen.wait(".row .label", "2 serving"))
        self.shoot(seen, "batches")
        self.write("leave", "")
        self.assertEqual(asker.wait(PATIENCE), 0)
        seen.wait("dd", "1, 0 failed, 0 rolled back")
        self.assertEqual(seen.said(), [])

    def test_fifty_with_long_names_are_seen_with_those_in_trouble_first(self):
        names = ["shop-%02d" % i for i in range(46)] + [
            "z" * 64, "a-name-nobody-would-choose.eu-central-1.production.example", "ünïcödé", "zz"]
        instances = [self.graced("--ready", "after:0s", "--restart-delay", "10min", "-w", "2" if name == "zz" else "1", name=name,
                                 command=("/bin/sleep", "1000"), wait=False) for name in names]
        for g in instances:
            g.wait("READY=1")
        os.kill(instances[-1].workers("ready")[0]["pid"], signal.SIGKILL)
        os.kill(instances[-4].workers("ready")[0]["pid"], signal.SIGKILL)
        e = self.exporter(*instances, options=("--time-limit", "30s"))
        seen = browser()
        seen.open(e, "/")
        seen.wait("h1", "50 instances, 2 to be looked at")
        self.assertEqual(seen.texts(".name")[:2], ["z" * 64, "zz"])
        self.assertEqual(seen.texts(".phase")[:3], ["down", "degraded", "serving"])
        self.shoot(seen, "fifty")
        seen.open(e, "/instances/" + "z" * 64)
        seen.wait(".phase", "down")
        self.shoot(seen, "long-name")
        seen.open(e, "/instances/zz")
        seen.wait(".phase", "degraded")
        self.shoot(seen, "degraded")
        self.assertEqual(seen.said(), [])

    def test_a_crash_and_that_nobody_serves_are_seen(self):
        g = self.serving("--restart-delay", "10min")
        e = self.exporter(g)
        seen = browser()
        seen.open(e, "/instances/t")
        seen.wait(".row .label", "1 serving")
        os.kill(g.workers("ready")[0]["pid"], signal.SIGKILL)
        seen.wait(".phase", "down")
        self.assertIn("killed by SIGKILL", " ".join(seen.wait("section p", "Worker 0 of generation 1")))
        wait_until(lambda: len(seen.texts("svg.mark.crashed")) == 1)
        # It serves no more, and what is drawn says so.
        drawn, = seen.attributes(".row .bands[role]", "aria-label")
        self.assertNotIn(" on, for", drawn)
        self.assertRegex(drawn, "serving from .* to .*; a worker crashed at .*SIGKILL")
        self.shoot(seen, "down")
        self.assertEqual(seen.said(), [])

    def test_what_workers_say_is_text(self):
        words = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"
        g = self.switchable()
        e = self.exporter(g, options=("--show-secrets",))
        seen = browser()
        seen.open(e, "/instances/t")
        self.write("say.sh", "#!/bin/sh\necho \"%s\" >&2\nexit 3\n" % words, 0o755)
        self.write("app", "#!/bin/sh\nexec %s\n" % self.path("say.sh"), 0o755)
        self.habits = None
        self.assertEqual(g.reload().returncode, 1)
        seen.wait("pre", words)
        self.assertNotIn("taken", seen.driver.title)
        self.assertEqual(seen.texts("main img, main script"), [])
        self.assertEqual(seen.said(), [])

    def test_a_script_or_style_of_somebody_else_is_refused(self):
        """That the policy works at all, and that the log would tell."""
        e = self.exporter()
        seen = browser()
        seen.open(e, "/")
        self.assertIn("no instance runs", seen.texts("h1")[0])
        self.assertIn("graced run", " ".join(seen.texts("main p")))
        self.shoot(seen, "empty")
        seen.driver.execute_script(
            "const s = document.createElement('script'); s.textContent = 'window.taken = true'; document.body.append(s);"
            "document.body.setAttribute('style', 'color: red')")
        self.assertIsNone(seen.driver.execute_script("return window.taken || null"))
        self.assertEqual(len([line for line in seen.said() if re.search("Content Security Policy", line)]), 2)


if __name__ == "__main__":
    main()
