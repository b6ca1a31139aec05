"""Many instances on one machine: graced list, status of several, and reload --all. In a mount namespace of its own, for
all that run in the usual places are meant."""
import fcntl, json, os, pty, signal, struct, subprocess, termios, time, unittest
from alone import ALONE, AloneCase, can_be_alone
from harness import GRACED, NOBODY, PATIENCE, WORKER, main
from schema import assert_valid


@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class Instances(AloneCase):
    def shown(self, columns):
        """graced list on a terminal of that width."""
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execvpe(ALONE[0], [*ALONE, GRACED, "list"], {**os.environ, **self.env, "TERM": "xterm", "NO_COLOR": "1"})
        said = b""
        try:
            while more := os.read(terminal, 65536):
                said += more
        except OSError:
            pass
        os.close(terminal)
        os.waitpid(pid, 0)
        return said.decode().replace("\r\n", "\n")

    def test_some_that_hang_are_silent_and_keep_nobody_waiting(self):
        names = ["app%d" % i for i in range(8)]
        self.start(*names)
        hung = names[2:6]
        for name in hung:
            self.there[name].signal(signal.SIGSTOP)
        begun = time.monotonic()
        listed = self.call("list", "--json")
        took = time.monotonic() - begun
        self.assertEqual({i["name"]: i["phase"] for i in assert_valid("list", json.loads(listed.stdout))},
                         {name: "silent" if name in hung else "serving" for name in names})
        self.assertLess(took, 7, "one after the other they would take eight seconds")
        # Nor those who are asked by a name that the directories do not tell.
        begun = time.monotonic()
        self.assertEqual(self.call("status", "shop").returncode, 3)
        self.assertLess(time.monotonic() - begun, 7)
        for name in hung:
            self.there[name].signal(signal.SIGCONT)
        self.assertEqual({i["phase"] for i in json.loads(self.call("list", "--json").stdout)}, {"serving"})

    def test_the_list_fits_the_terminal(self):
        self.start("one", "two")
        self.there["one"].reload()
        narrow, wide, piped = self.shown(60), self.shown(200), self.call("list").stdout
        # There is room for more only where the ages are short.
        self.assertEqual([w for w in narrow.split("\n")[0].split() if w not in ("age", "draining")],
                         ["name", "phase", "generation", "workers", "last"])
        for text, columns in ((narrow, 60), (wide, 200)):
            self.assertEqual(len(text.splitlines()), 3, text)
            self.assertLessEqual(max(map(len, text.splitlines())), columns, text)
        for words in (" last ", "reloaded ", "addresses", "127.0.0.1:%d" % self.there["one"].address()[1]):
            self.assertIn(words, wide)
        self.assertIn("command", piped)
        self.assertIn(WORKER, piped)

    def test_status_of_several(self):
        self.start("one", "two")
        told = self.call("status", "two", "one")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertRegex(told.stdout, r"(?s)\Atwo  serving generation 1\n.*\n\none  serving generation 1\n")
        told = self.call("status", "one", "none", "two", "--json")
        self.assertEqual(told.returncode, 3)
        self.assertEqual([i["name"] for i in json.loads(told.stdout)], ["one", "two"])
        self.assertIn("no graced named 'none' is running", told.stderr)
        ready = self.call("status", "one", "two", "--ready")
        self.assertEqual((ready.returncode, len(ready.stdout.splitlines())), (0, 2))

    def test_reload_all_tells_of_each_on_one_line(self):
        self.start("one", "two", "three")
        done = self.call("reload", "--all", "--jobs", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(done.stdout.splitlines()), ["%s: generation 2 serves" % n for n in ("one", "three", "two")])
        self.assertEqual(self.there["two"].status()["serving"], 2)

    def test_reload_all_goes_on_after_a_failure_or_not_as_asked(self):
        self.start("one", "three")
        self.become("ready", "serve")
        two = self.graced(command=(self.reader(WORKER),), name="pair")
        self.find(two)
        self.become("exit=3")
        done = self.call("reload", "--all")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "one: generation 2 serves\nthree: generation 2 serves\n")
        self.assertRegex(done.stderr, r"\Agraced: reload of 'pair' failed: [^\n]*status 3[^\n]*; generation 1 still serves\n\Z")
        stopped = self.call("reload", "--all", "--stop-at-first-failure")
        self.assertEqual((stopped.returncode, stopped.stdout), (1, "one: generation 3 serves\n"))
        self.assertIn("graced: 'three' is not reloaded, for 'pair' was not\n", stopped.stderr)
        self.assertEqual(self.there["three"].status()["serving"], 2)

    def test_reload_all_without_an_instance_and_by_somebody_else(self):
        none = self.call("reload", "--all")
        self.assertEqual(none.returncode, 3)
        self.assertIn("no graced is running", none.stderr)
        self.start("one")
        os.chmod(self.directory, 0o755)
        words = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", GRACED, "reload", "--all"]
        environment = {**os.environ, **self.env}
        other = subprocess.run([*ALONE, *words], capture_output=True, text=True, timeout=PATIENCE, env=environment)
        self.assertEqual(other.returncode, 1, other.stderr)
        self.assertRegex(other.stderr, r"\Agraced: reload of 'one' refused: [^\n]*\n\Z")


if __name__ == "__main__":
    main()
