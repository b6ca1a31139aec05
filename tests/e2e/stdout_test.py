"""A worker's stdout, and what is told of workers that leave their reason there or end with status 0."""
import os, signal
from harness import Case, WORKER, alive, main, wait_until

ALONE = r"and left no process behind \(see graced-recipes\(7\)\)"
NOTHING_SAID = "nothing was said on stderr: --stdout watch tells what is said on stdout"


class Out(Case):
    def text(self, path):
        with open(path, "rb") as f:
            return f.read()

    def output_of(self, pid):
        return os.readlink("/proc/%d/fd/1" % pid)

    def redirected(self, *options, habits, both=False):
        """graced with a file as stdout, which may be its stderr too; the habits of the next generation are what become() says."""
        file = os.open(self.path("out"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.addCleanup(os.close, file)
        g = self.switchable(*options, habits=habits, preexec=lambda: [os.dup2(file, fd) for fd in (1, 2)[:1 + both]])
        return g, self.path("out")


class Inherited(Out):
    def test_a_workers_stdout_is_graceds_own(self):
        g, out = self.redirected(habits=("tell=hello", "ready", "serve"))
        self.assertEqual(self.output_of(g.workers()[0]["pid"]), out)
        self.assertEqual(self.text(out), b"hello\n")
        self.assertEqual(g.workers()[0]["last_lines"], [])

    def test_one_that_ends_with_status_0_is_told_what_is_known_and_where_to_look(self):
        g = self.switchable()
        self.become("tell=already_running", "exit=0")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r"exited with status 0 after .*, before it was ready, " + ALONE + "; " + NOTHING_SAID)
        self.assertNotIn("foreground", r.stderr)

    def test_one_that_said_why_on_stderr_is_not_told_to_look_elsewhere(self):
        g = self.switchable()
        self.become("say=no_such_table", "exit=0")
        r = g.reload()
        self.assertIn("before it was ready, and left no process behind (see graced-recipes(7))\n", r.stderr)
        self.assertIn("no_such_table", r.stderr)
        self.become("tell=no_such_table", "exit=3")
        self.assertRegex(g.reload().stderr, "exited with status 3 after .*, before it was ready; " + NOTHING_SAID)

    def test_one_that_goes_into_the_background_is_told_to_stay_and_by_which_process_it_is_known(self):
        g = self.switchable(env={"CHILD_FILE": self.path("child")})
        self.become("child=daemon", "exit=0")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        with open(self.path("child")) as f:
            pid = int(f.read())
        self.addCleanup(lambda: alive(pid) and os.kill(pid, signal.SIGKILL))  # it is deaf to SIGTERM
        # The process between the worker and this one may not have ended yet.
        self.assertRegex(r.stderr, r"exited with status 0 after .*, before it was ready; PID (%d \(.+\)|\d+ \(.+\) and 1 more) of it "
                                   "goes on: a server must stay in the foreground" % pid)

    def test_a_known_server_is_told_to_stay_by_its_own_words(self):
        nginx = self.path("nginx")
        os.symlink("/usr/bin/sleep", nginx)
        app = self.write("app", '#!/bin/sh\n[ "$GRACED_GENERATION" = 1 ] && exec "%s" ready serve\n"%s" 1000 &\n'
                         'until grep -q nginx /proc/$!/comm; do :; done\n' % (WORKER, nginx), 0o755)
        g = self.graced(command=(app,))
        self.assertIn("(nginx) of it goes on: a server must stay in the foreground: nginx -g 'daemon off;'", g.reload().stderr)

    def test_one_in_the_background_that_hides_whose_it_is_is_known_and_does_not_stay(self):
        child = self.path("child")
        hidden = "exec env -i setsid sh -c 'echo $$ >%s.new; mv %s.new %s; exec sleep 1000'" % (child, child, child)
        script = ('#!/bin/sh\n[ "$GRACED_GENERATION" = 1 ] && exec "%s" ready serve\n(%s) >/dev/null 2>&1 &\n'
                  'until [ -e "%s" ] && grep -q sleep /proc/$(cat "%s")/comm; do :; done\n' % (WORKER, hidden, child, child))
        g = self.graced(command=(self.write("app", script, 0o755),))
        r = g.reload()
        with open(child) as f:
            pid = int(f.read())
        self.assertIn("PID %d (sleep) of it goes on: a server must stay in the foreground" % pid, r.stderr)
        wait_until(lambda: not alive(pid))
        self.assertEqual(len(g.workers("ready")), 1)


class Watched(Out):
    def test_the_last_words_of_one_that_ends_with_status_0_are_told(self):
        g, out = self.redirected("--stdout", "watch", habits=("ready", "serve"))
        self.become("tell=httpd_already_running", "exit=0")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("before it was ready, and left no process behind (see graced-recipes(7))\n", r.stderr)
        self.assertIn("httpd_already_running", r.stderr)
        self.assertIn(b"httpd_already_running\n", self.text(out))

    def test_lines_go_where_they_went_and_are_kept_beside_those_of_stderr(self):
        g, out = self.redirected("--stdout", "watch", habits=("say=err", "tell=out", "ready", "serve"))
        wait_until(lambda: b"out\n" in self.text(out) and "err\n" in g.said())
        self.assertNotIn(b"err", self.text(out))
        self.assertNotIn("\nout\n", g.said())
        worker, = g.workers()
        self.assertEqual(worker["last_lines"], ["out", "err"])
        self.assertTrue(self.output_of(worker["pid"]).startswith("pipe:"))
        self.assertEqual(g.end(), 0)

    def test_where_both_are_one_file_lines_keep_their_order_and_are_whole(self):
        many = [w for i in range(50) for w in ("tell=line_%d" % (2 * i), "say=line_%d" % (2 * i + 1))]
        g, out = self.redirected("--stdout", "watch", habits=(*many, "ready", "serve"), both=True)
        wait_until(lambda: b"line_98\n" in self.text(out) and b"line_99\n" in self.text(out))
        lines = [l for l in self.text(out).decode().splitlines() if l.startswith("line_")]
        self.assertEqual(sorted(lines, key=lambda l: int(l[5:])), ["line_%d" % i for i in range(100)])
        for kind in (0, 1):
            self.assertEqual([l for l in lines if int(l[5:]) % 2 == kind], ["line_%d" % i for i in range(kind, 100, 2)])

    def test_what_a_check_says_is_told_too(self):
        check = self.write("check", "#!/bin/sh\necho 'Syntax error on line 7'\nexit 1\n", 0o755)
        g, out = self.redirected("--stdout", "watch", "--check", check, habits=("ready", "serve"))
        self.assertIn("Syntax error on line 7", g.reload().stderr)

    def test_nothing_is_lost_at_the_end(self):
        g, out = self.redirected("--stdout", "watch", "--stderr", "inherit", habits=("ready", "serve"))
        self.become(*["tell=line_%d" % i for i in range(500)], "exit=5")
        self.assertEqual(g.reload().returncode, 1)
        self.assertEqual(self.text(out).decode().split(), ["line_%d" % i for i in range(500)])
        self.assertEqual(g.end(), 0)

    def test_a_reload_begins_and_ends_it(self):
        g, out = self.redirected("--config", self.write("conf", ""), habits=("tell=one", "ready", "serve"))
        self.assertEqual(self.output_of(g.workers()[0]["pid"]), out)
        self.write("conf", "stdout = watch\n")
        self.assertEqual(g.reload().returncode, 0)
        self.assertTrue(self.output_of(g.workers("ready")[0]["pid"]).startswith("pipe:"))
        self.write("conf", "stdout = inherit\n")
        self.assertEqual(g.reload().returncode, 0)
        self.assertEqual(self.output_of(g.workers("ready")[0]["pid"]), out)


if __name__ == "__main__":
    main()
