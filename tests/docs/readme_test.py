"""README.md, followed from the top by a newcomer. Its lines are run as they stand there."""
import os, re, shutil
from newcomer import ADDRESS, ROOT, Document, Newcomer, ask, live_apart, main, needs, wait_until

README = Document("README.md")
BUILD = os.path.dirname(os.path.dirname(os.path.abspath(os.environ["GRACED_BINARY"])))
TESTED_ELSEWHERE = {  # by tests/packages, in a root that is thrown away and under systemd
    "Install": "packages: the README under systemd",
    "Under systemd, from nothing": "packages: the README under systemd",
}


def of(heading):
    """The test runs all blocks of that heading."""
    def mark(function):
        function.heading = heading
        return function
    return mark


def setUpModule():
    live_apart()


def without_numbers(text):
    """Times, PIDs and generations differ."""
    return re.sub(r"\d+(\.\d+)?", "N", text)


class Readme(Newcomer):
    def save_files(self):
        """The blocks that name their file in a first line."""
        for language, comment in (("js", "//"), ("python", "#"), ("go", "//")):
            for text in README.of("Your own app", language):
                self.write(re.match(re.escape(comment) + r" (\S+)\n", text).group(1), text)

    def test_every_block_is_run_by_a_test(self):
        run = {getattr(getattr(self, name), "heading", None) for name in dir(self)} - {None}
        self.assertEqual(run & set(TESTED_ELSEWHERE), set())
        self.assertEqual(set(README.blocks), run | set(TESTED_ELSEWHERE))

    @of("Try it")
    @needs("node")
    def test_try_it(self):
        built, example = README.of("Try it", "sh")
        # What was built is there: nothing is compiled again. The rest of quickstart is run.
        tree = self.path("tree")
        shutil.copytree(os.path.join(ROOT, "packaging"), os.path.join(tree, "packaging"), symlinks=True)
        os.mkdir(os.path.join(tree, "build"))
        os.symlink(BUILD, os.path.join(tree, "build/release"))
        self.script("cmake")
        os.unlink(self.path("bin/graced"))  # PATH is set by README's own line
        output = self.sh("cd tree\n%sset -e\ngraced --version\necho $PATH >../path" % built)
        self.assertIn("failed        0\n", output)
        self.assertRegex(output, r"requests      \d+, answered by 4 processes")
        with open(self.path("path")) as f:
            self.env["PATH"] = f.read().strip()

        write, run, reload = example.splitlines()
        self.sh(write)
        self.serving(run)
        self.assertRegex(ask(ADDRESS), r"^hello from \d+\n$")
        self.reload_under_load(reload)

    def test_the_control_socket_has_another_place_where_XDG_RUNTIME_DIR_is_not_set(self):
        with open(os.path.join(ROOT, "README.md")) as f:
            line = re.search(r"`export (GRACED_CONTROL=)/tmp/(graced\.control)`", f.read())
        name, _, value = (line.group(1) + self.path(line.group(2))).partition("=")
        self.env[name] = value
        self.write("app.py", "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()\n")
        os.chown(self.directory, 65534, 65534)
        setpriv = "setpriv --reuid 65534 --regid 65534 --clear-groups "
        self.assertIn("give one with --control PATH", self.sh("env -u %s -u XDG_RUNTIME_DIR %sgraced run -- true" % (name, setpriv), code=None))
        self.serving(setpriv + "graced run -- /usr/bin/python3 app.py")
        self.assertIn("generation 2 serves", self.sh(setpriv + "graced reload"))

    def runs_in_three_ways(self, alone, prepare=None):
        """By itself, adopted, and with a socket of graced's."""
        self.save_files()
        if prepare:
            self.sh(prepare, patience=600)  # a compiler of the first time
        first, adopted, passed = README.lines("Your own app")
        for line in (first, adopted, passed):
            self.assertIn("node server.js", line)
            line = line.replace("node server.js", alone)
            if not line.startswith("graced"):
                process = self.start(line)
                self.assertRegex(self.answers(), r"^hello from \d+\n$")
            else:
                process = self.serving(line)
                self.assertRegex(ask(ADDRESS), r"^hello from \d+\n$")
                self.reload_under_load()
            self.end(process)
            self.assertEqual(process.returncode, 0, self.said())
            self.assert_free()

    @of("Your own app")
    @needs("node")
    def test_your_own_app_in_node(self):
        self.runs_in_three_ways("node server.js")

    def test_your_own_app_in_python(self):
        self.runs_in_three_ways("/usr/bin/python3 server.py")

    @needs("go")
    def test_your_own_app_in_go(self):
        self.env["GOCACHE"] = os.path.join(BUILD, "tests/docs/go")  # so that net/http is compiled once
        self.runs_in_three_ways("./server", prepare="go build server.go")

    @of("Commands")
    def test_commands(self):
        """Each one does what its comment says."""
        lines = README.lines("Commands")
        adopted, taken, passed, from_file, check, *others = lines
        binder = """#!/usr/bin/python3
import http.server, os, signal, socket, sys
server = http.server.ThreadingHTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler, bind_and_activate="--fd" not in sys.argv)
if "--fd" in sys.argv:
    server.socket = socket.socket(fileno=int(sys.argv[2]))
    server.socket.setblocking(False)
server.serve_forever()
"""
        self.write("shop", binder, 0o755)
        self.write("shop.conf", "command = ./shop\nname = shop\nworkers = 2\noutput = prefix\n")
        by_hand = self.start("./shop")
        self.answers()
        process = self.serving(taken, "shop")
        by_hand.wait()
        ask(("127.0.0.1", 8080))
        self.end(process)
        for line in (adopted, passed, from_file):
            process = self.serving(line, "shop")
            address = self.status("shop")["addresses"][0]["address"]
            self.assertRegex(address, r":80$" if line == passed else ":8080$")
            ask(("127.0.0.1", int(address.rpartition(":")[2])))
            if line != from_file:
                self.end(process)
        self.assertEqual(len(self.status("shop")["workers"]), 2)
        self.assertIn("workers", self.sh(check))

        done = {line.split()[1]: line for line in others}
        self.assertEqual(set(done), {"reload", "abort", "status", "history", "events", "logs", "list", "top", "upgrade", "hammer", "stop"})
        self.assertIn("generation 2 serves", self.sh(done["reload"]))
        self.assertIn("no reload", self.sh(done["abort"], code=1))
        self.assertIn("serving generation 2", self.sh(done["status"]))
        self.assertRegex(self.sh(done["history"]), r"generation 2 serves after .*; asked at the control socket by ")
        self.assertIn('"schema": 1', self.sh("graced history shop --json -n 5"))
        following = self.start(done["events"] + " --json --until reloaded --timeout 10min")
        wait_until(lambda: '"instance-found"' in self.said(), self.said)
        self.sh(done["reload"])
        self.assertEqual(following.wait(), 0)
        for flag in ("--json", "--ready", "--alive"):
            self.sh(done["status"] + " " + flag)
        ask(("127.0.0.1", 8080))  # which the server logs
        wait_until(lambda: re.search(r"generation 3, worker \d, PID \d+: .*GET / ", self.sh(done["logs"])))
        self.assertIn("shop", self.sh(done["list"]))
        self.assertIn("needs a terminal", self.sh(done["top"], code=1))  # tests/e2e/top_test.py has one
        self.assertIn("upgraded from", self.sh(done["upgrade"]))
        self.assertIn("generation 3 ", self.sh(done["status"]))
        self.sh(done["hammer"])
        self.sh(done["stop"])
        self.assertEqual(process.wait(), 0)

        # An abort while a reload runs: the candidate never gets ready.
        self.write("shop", "#!/bin/sh\nexec sleep infinity\n", 0o755)
        self.write("shop.conf", "command = ./shop\nname = shop\nready = after:0s\n")
        self.serving(from_file, "shop")
        self.write("shop.conf", "command = ./shop\nname = shop\nready = notify\nready-timeout = 10min\n")
        reload = self.start(done["reload"])
        wait_until(lambda: "reloading" in self.sh(done["status"]), self.said)
        self.sh(done["abort"])
        self.assertEqual(reload.wait(), 1)
        self.assertIn("serving generation 1", self.sh(done["status"]))

    def test_signals_are_the_commands(self):
        self.write("shop", "#!/bin/sh\nexec sleep infinity\n", 0o755)
        process = self.serving("graced run --ready after:0s ./shop")
        self.sh("kill -HUP %d" % process.pid)
        wait_until(lambda: self.status()["reloads"] == 1, self.said)
        self.sh("kill -USR2 %d" % process.pid)
        self.sh("kill -TERM %d" % process.pid)
        self.assertEqual(process.wait(), 0)

    @of("A deploy that proves itself")
    def test_a_deploy_that_proves_itself(self):
        given, deploys, end = README.of("A deploy that proves itself", "sh")
        write, _, run = given.rstrip().rpartition("\n")
        self.sh(write)
        process = self.serving(run, "shop")
        told, = README.of("A deploy that proves itself", "text")
        self.assertEqual(without_numbers(self.sh(deploys, code=1)), without_numbers(told))
        self.assertEqual(self.status()["serving"], 2)
        history = self.sh("graced history")
        for reason in ("500 Internal Server Error", "exited with status 7"):
            self.assertIn(reason, history)
        repair, reload, stop = end.splitlines()
        self.sh(repair)
        self.sh(reload)
        self.assertEqual(self.status()["serving"], 5)
        self.sh(stop)
        self.assertEqual(process.wait(), 0)
        self.assert_free()

    @needs("node")
    def test_a_deploy_that_fails(self):
        write, run, reload = README.of("Try it", "sh")[1].splitlines()
        self.sh(write)
        process = self.serving(run)
        self.sh(reload)
        served = ask(ADDRESS)
        self.sh("cp app.js good.js; echo 'console.error(\"no configuration\"); process.exit(3)' >app.js")
        self.assertIn("  | no configuration\ngeneration 2 still serves\n", self.sh(reload, code=1))
        self.assertEqual(ask(ADDRESS), served)
        self.assertIn("no configuration", self.sh("graced status"))
        self.sh("mv good.js app.js")
        self.sh(reload)
        self.assertNotIn("no configuration", self.sh("graced status"))
        self.sh("graced stop")
        self.assertEqual(process.wait(), 0)
        self.assert_free()


if __name__ == "__main__":
    main()
