"""graced top in a real terminal (tmux): what is on the screen, and what keys do."""
import itertools, os, re, shutil, signal, socket, subprocess, unittest
from alone import ALONE, AloneCase, can_be_alone
from harness import GRACED, PATIENCE, WORKER, main, wait_until

# Accepts one connection, and no more.
HOLDER = """#!/usr/bin/python3 -SE
import signal, socket, sys
listener = socket.socket(fileno=3)
kept = listener.accept()
signal.pause()
"""
NUMBERS = itertools.count()
TOP = os.path.join(os.path.dirname(GRACED), "graced-top")


def normal(text):
    """Without what differs from run to run: amounts, times, PIDs and ports, and how far columns are apart."""
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    text = re.sub(r"\b\d+(\.\d+)?(min|ms|us|h|s|d)\b( \d+(min|s|h|ms)\b)?", "TIME", text)
    text = re.sub(r"(?<=\s)(\d+(\.\d+)?%|-)(?=\s)", "SHARE", text)
    text = re.sub(r"(?<=\s)\d+(\.\d+)?[KMG](?=\s)", "BYTES", text)
    return "\n".join(re.sub(r" +", " ", line).rstrip() for line in text.splitlines()).rstrip("\n")


class Terminal:
    """A terminal of tmux with a command in it."""

    def __init__(self, case, command, env, columns=100, rows=24):
        self.case = case
        self.socket = case.path("tmux.%d" % next(NUMBERS))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GRACED_", "TMUX"))}
        self.env.update(LC_ALL="C.UTF-8")
        said = "; echo \"ended with $?\"; exec cat"
        words = ["env", *("%s=%s" % item for item in env.items()), "sh", "-c", "\"$@\"" + said, "sh", *command]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), *words)
        case.addCleanup(self.close)

    def tmux(self, *words):
        r = subprocess.run(["tmux", "-u", "-S", self.socket, *words], env=self.env, capture_output=True, text=True, timeout=PATIENCE,
                           stdin=subprocess.DEVNULL)
        self.case.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env, capture_output=True)

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def shows(self, pattern, *options):
        """The screen, once it has that."""
        last = [""]

        def seen():
            last[0] = self.text(*options)
            return re.search(pattern, last[0])

        wait_until(seen, lambda: "there is no %r in\n%s" % (pattern, last[0]))
        return last[0]


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
@unittest.skipUnless(os.path.exists(TOP), "graced-top is not built")
@unittest.skipUnless(can_be_alone(), "needs a mount namespace")
class Top(AloneCase):
    def top(self, *words, columns=100, rows=24, **env):
        return Terminal(self, [*ALONE, GRACED, "top", *words], {**self.env, "TERM": "tmux-256color", **env}, columns, rows)

    def test_all_instances_on_60_columns(self):
        self.start("shop", "blog")
        self.there["shop"].reload()
        screen = self.top(columns=60, rows=10)
        shown = normal(screen.shows(r"(?s)blog .*\d%.*shop .*\d%.*q quit"))
        self.assertEqual(shown, "\n".join((
            "graced top 2 instances, by name",
            "name* phase gen workers conns queue cpu memory",
            "blog serving 1 1 0 0/128 SHARE BYTES",
            "shop serving 2 1 0 0/128 SHARE BYTES",
            "", "", "", "", "",
            "Enter open r reload b roll back s sort ? help q quit")).replace("0/128", self.queue("0")))

    def queue(self, waiting):
        """As it is shown; how many may wait is the machine's to say."""
        with open("/proc/sys/net/core/somaxconn") as f:
            return "%s/%s" % (waiting, f.read().strip())

    def test_all_instances_on_200_columns(self):
        self.start("shop")
        self.there["shop"].reload()
        screen = self.top(columns=200, rows=5)
        screen.shows(r"name\* +phase +gen +workers +conns +queue +cpu +memory +reloads +last +up +command\nshop .*\d%")
        self.assertRegex(normal(screen.text()), r"(?m)^shop serving 2 1 0 \S+ SHARE BYTES 1 reloaded TIME ago TIME \S*worker.py ready serve$")

    def test_connections_and_those_who_wait(self):
        program = self.write("holder", HOLDER, 0o755)
        self.find(self.graced("--ready", "after:0s", command=(program,), name="shop"))
        screen = self.top()
        screen.shows(r"shop +serving +1 +1 +0 +0/")
        for _ in range(4):
            self.addCleanup(socket.create_connection(self.there["shop"].address(), PATIENCE).close)
        screen.shows(r"shop +serving +1 +1 +1 +3/")
        screen.press("Enter")
        screen.shows(r"(?s)generation +role.*\n +1 +serving .*address +connections +queue +drops\ntcp 127\.0\.0\.1:\d+ +1 +3/\d+ +0")

    def test_one_is_opened_with_its_workers_history_and_the_way_back(self):
        self.start("shop", "blog")
        screen = self.top(rows=40)
        screen.shows("shop")
        screen.press("Down", "Enter")
        shown = screen.shows(r"(?s)graced itself\n.*descriptors \d.*history.*generation 1 serves")
        self.assertRegex(shown, r"\Agraced top  shop\n")
        self.assertRegex(shown, r"worker.*state")
        for words in ("serving generation 1", "graced itself", str(self.there["shop"].workers()[0]["pid"])):
            self.assertIn(words, shown)
        self.there["shop"].reload()
        screen.shows(r"(?s)generation 2 serves after.*generation 1 serves after")
        screen.press("Escape")
        screen.shows("2 instances, by name")

    def test_a_named_one_is_opened_at_once(self):
        self.start("shop", "blog")
        self.top("shop").shows(r"\Agraced top  shop\n(?s:.*)serving generation 1")
        elsewhere = self.serving(name="elsewhere")
        self.top("--control", elsewhere.control).shows(r"\Agraced top  elsewhere\n(?s:.*)serving generation 1")
        screen = self.top("none")
        screen.shows("no graced named 'none' is running")
        screen.shows("ended with 3")

    def test_a_reload_by_a_key_after_a_question(self):
        self.start("shop")
        screen = self.top()
        screen.shows("shop +serving")
        screen.press("r")
        screen.shows("reload shop\\?  y n")
        screen.press("n")
        screen.shows("Enter open")
        screen.press("r", "y")
        screen.shows("shop: generation 2 serves")
        screen.shows("shop +serving +2")
        self.assertEqual(self.there["shop"].status()["reloads"], 1)

    def test_a_rollback_by_a_key_and_one_that_cannot_be(self):
        self.find(self.serving("--probation", "1h", name="shop"))
        screen = self.top()
        screen.shows("shop +serving")
        screen.press("b", "y")
        screen.shows("shop: rollback failed: ")
        screen.press("r", "y")
        screen.shows("shop: generation 2 serves")
        screen.press("b", "y")
        screen.shows("shop: generation 2 rolled back, generation 1 serves again")

    def test_a_failed_reload_is_seen_with_its_reason_and_nothing_a_terminal_would_obey(self):
        self.become("ready", "serve")
        self.find(self.graced(command=(self.reader(WORKER),), name="shop"))
        screen = self.top(columns=200)
        screen.shows("shop +serving")
        self.become("say=\x1b[2J\x1b]0;owned\x07", "exit=3")
        screen.press("r", "y")
        screen.shows("shop: reload failed: .*exited with status 3")
        screen.shows("shop .* 0\\+1 +reload failed .*exited with status 3")
        screen.press("Enter")
        screen.shows(r"\\x1b\[2J\\x1b\]0;owned\\x07")
        self.assertEqual(self.titles(screen), 0)

    def titles(self, screen):
        return screen.tmux("display-message", "-p", "#{pane_title}").count("owned")

    def test_who_is_down_comes_first_and_says_why_with_its_last_words(self):
        self.start("blog")
        program = self.write("crasher", HOLDER.replace("signal.pause()", "sys.stderr.write('panic at dawn\\n')\nsys.exit(7)"), 0o755)
        self.find(self.graced("--restart-delay", "1h", "--ready", "after:0s", command=(program,), name="shop"))
        socket.create_connection(self.there["shop"].address(), PATIENCE).close()
        screen = self.top("--sort", "phase", columns=200)
        shown = screen.shows(r"shop +down .*exit 7, .* ago.*worker 0 exited with status 7 after .*: panic at dawn")
        self.assertRegex(shown, r"(?s)phase\*.*\nshop .*\nblog ")
        self.top(NO_COLOR="1").shows("\x1b\\[1mdown", "-e")
        screen.press("Enter")
        # Of its last exit, and of the history.
        screen.shows(r"(?s)\Agraced top  shop\nshop  down.*panic at dawn.*history.*worker 0 of generation 1 .*exited with status 7.*panic at dawn")

    def test_sorted_by_another_key_and_help(self):
        self.start("a", "b")
        self.there["b"].reload()
        screen = self.top("--sort", "reloads", columns=120)
        screen.shows(r"(?s)reloads\*.*\nb .*\na ")
        screen.press("s")
        screen.shows(r"(?s)name\*.*\na .*\nb ")
        screen.press("?")
        screen.shows("(?s)Keys.*Up, Down.*Columns")
        screen.press("q")
        screen.shows("ended with 0")

    def test_the_picture_follows_the_size_of_the_terminal(self):
        self.start("shop")
        screen = self.top(columns=60, rows=8)
        self.assertNotIn("command", screen.shows("shop +serving"))
        screen.tmux("resize-window", "-x", "200", "-y", "30")
        screen.shows("memory .*last .*command")
        screen.tmux("resize-window", "-x", "12", "-y", "3")
        screen.shows(r"\Agraced top")
        screen.tmux("resize-window", "-x", "60", "-y", "8")
        screen.shows("shop +serving")
        screen.press("q")
        screen.shows("ended with 0")

    def test_colour_is_there_and_not_where_it_is_not_wanted(self):
        self.start("shop")
        coloured = re.compile("\x1b\\[[0-9;]*3[0-7]m")
        self.assertRegex(self.top().shows("serving", "-e"), coloured)
        self.assertNotRegex(self.top(NO_COLOR="1").shows("serving", "-e"), coloured)
        self.assertNotRegex(self.top(TERM="vt220").shows("serving", "-e"), coloured)

    def test_without_utf_8_all_is_ascii(self):
        self.start("shop", habits=("status=caf\u00e9", "ready", "serve"))
        screen = self.top("shop", LC_ALL="C", LANG="C", columns=60)
        self.assertTrue(screen.shows("caf\\?").isascii())
        self.top("shop", columns=60).shows("caf\u00e9")

    def test_one_that_hangs_is_silent_and_keys_are_heard(self):
        self.start("well", "hung", "good")
        self.there["hung"].signal(signal.SIGSTOP)
        screen = self.top()
        screen.shows(r"(?s)3 instances, 1 without an answer.*hung +silent.*well +serving")
        screen.press("Enter")
        screen.shows(r"\Agraced top  good")
        screen.press("Escape")
        screen.shows("3 instances")
        self.there["hung"].signal(signal.SIGCONT)
        screen.shows("hung +serving")

    def test_one_that_starts_is_found_and_one_that_ends_or_dies_is_gone(self):
        self.start("one", "two")
        screen = self.top()
        screen.shows("2 instances")
        self.start("three")
        screen.shows("3 instances(?s:.*)three +serving")
        self.there["two"].end()
        screen.shows("2 instances")
        worker = self.there["one"].workers()[0]["pid"]
        self.addCleanup(subprocess.run, ["kill", "-9", str(worker)], stderr=subprocess.DEVNULL)  # it outlives its graced
        self.there["one"].process.kill()
        self.assertNotIn("\none", screen.shows("1 instance,"))
        self.there["three"].end()
        screen.shows("no graced is running")
        screen.press("q")
        screen.shows("ended with 0")

    def test_who_is_not_on_the_screen_is_not_woken(self):
        self.start("a", "b")
        screen = self.top(rows=4)
        shown = screen.shows("a +serving")
        self.assertNotIn("\nb ", shown)

        def woken(name):
            with open("/proc/%d/status" % self.there[name].pid) as f:
                return int(re.search(r"\nvoluntary_ctxt_switches:\t(\d+)", f.read()).group(1))

        def undisturbed():
            """While the other was asked several times. What a start leaves to do may come late on a crowded machine."""
            seen, unseen = woken("a"), woken("b")
            wait_until(lambda: woken("a") >= seen + 6)
            return woken("b") == unseen

        wait_until(undisturbed)
        screen.press("Down")
        screen.shows("b +serving")

    def test_where_there_is_no_terminal_that_will_do_it_says_so(self):
        for term in ("dumb", ""):
            screen = self.top(TERM=term)
            screen.shows("graced: graced top needs a terminal whose cursor can be moved, and TERM is '%s'" % term)
            screen.shows("ended with 1")
        screen = self.top(TERM="no-such-terminal")
        screen.shows("this machine knows no terminal 'no-such-terminal'")
        screen.shows("ended with 1")
        piped = self.call("top")
        self.assertEqual((piped.returncode, piped.stdout), (1, ""))
        self.assertEqual(piped.stderr, "graced: graced top needs a terminal, and this is none; graced list and graced status show the same "
                                       "without\n")

    def test_where_it_is_not_installed_the_package_is_named(self):
        alone = shutil.copy(GRACED, self.path("graced"))
        r = subprocess.run([alone, "top"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
        if os.path.exists("/usr/libexec/graced/graced-top"):
            self.skipTest("it is installed here")
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertRegex(r.stderr, r"\Agraced: graced-top is not installed: [^\n]*; the package graced-top has it\n\Z")


if __name__ == "__main__":
    main()
