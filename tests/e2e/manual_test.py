"""Every command line, configuration and unit that the manual pages show is run, or at least read by whom it is for. One that no
rule below knows fails the test: give it a rule, or a line in LOOKED_AT that says why it cannot be run."""
import json, os, re, shutil, socket, subprocess, unittest

import harness
from manual_pages import all_displays, rendered
from manual_sandbox import Running, Sandbox, write

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging")

# By their first line. What is said, or belongs to another program's file, and where it is tried.
LOOKED_AT = {
    "sockets were passed to PID 4711 (sh): use exec": "what the library says: tests/sdk has it said",
    "PidFile /run/shop.${GRACED_GENERATION}.pid": "Apache's file: tests/programs/apache_test.py runs it",
    "pid_filename none": "Squid's file: tests/programs/second_instance_test.py",
    "die-on-term = true": "uWSGI's file, tried by hand",
    "generation 7, worker 2, PID 4711: listening on :8080": "what is said: output_test.py has it said",
    "{": "Caddy's file: tests/programs/caddy_test.py",
    "setcap -r /usr/bin/graced": "another program: tests/systemd/upgrade_test.py",
    "setcap cap_net_admin,cap_bpf=ep /usr/bin/graced": "another program: tests/systemd/upgrade_test.py",
    "podman cp graced shop:/tmp/graced.new": "an engine: tests/container/image_test.py",
    "podman exec shop graced upgrade --binary /tmp/graced.new": "an engine: tests/container/image_test.py",
    "app->config(hypnotoad => {": "Mojolicious' file: tests/programs/second_instance_test.py",
}
# Parts of programs, which manual_code_test.py compiles.
CODE = {"graced-child.3"}
# These take a descriptor 3 that is open, or rights that root may not have in a container: exit status 1 will do.
UNDERSTOOD = {"notify-fd = 3", "keep-capabilities = net_bind_service,sys_nice", "rlimit = nofile=65536",
              "gate = /srv/shop/bin/error-rate --below 1%"}
# All others end with 0. There is no terminal.
STATUS = {"graced abort shop": 1,  # files that are not here
          **dict.fromkeys(("graced upgrade shop --binary /opt/graced/bin/graced", "graced upgrade shop --binary /srv/graced/graced"), 1),
          **dict.fromkeys(("graced top", "graced top shop", "graced top --sort cpu"), 1)}
SAID = re.compile(r"shop\.conf:\d+: |generation \d+: could not start: ")

sandbox = None
DISPLAYS = all_displays()


def display_of(page, first):
    return next(d.text for d in DISPLAYS if d.page == page and d.text.startswith(first)) + "\n"


def setUpModule():
    global sandbox
    with open(os.path.join(PACKAGING, "example.conf")) as f:
        sandbox = Sandbox(display_of("graced.conf.5", "# /etc/graced/shop.conf"), f.read(), display_of("graced-worker.7", "#!/usr/bin/python3"))
    unittest.addModuleCleanup(sandbox.close)


def is_configuration(text):
    return all(re.match(r"#|[a-z-]+ += |    ", line) for line in text.splitlines())


def rule_of(display):
    """The name of a test of it below; none: nobody knows it."""
    text, first = display.text, display.text.splitlines()[0]
    if first in LOOKED_AT:
        return "looked_at"
    if display.page in CODE:
        return "code"
    if SAID.match(text):
        return "said"
    if first.startswith("#!"):
        return "program"
    if first.startswith("["):
        return "unit"
    if is_configuration(text):
        return "configuration"
    if text.startswith("graced run "):
        return "run"
    if text.startswith("graced check "):
        return "check"
    if text.startswith("graced events"):
        return "follow"
    if text.startswith(("graced ", "socket=")):
        return "ask"
    if text.startswith(("systemctl ", "cp ", "for host in ")):
        return "elsewhere"
    if text.startswith("sh -c 'exec server"):
        return "command"
    if text.startswith("polkit."):
        return "policy"
    return None


class Manual(unittest.TestCase):
    maxDiff = None

    def each(self, rule, test):
        """The displays that are for this rule, each of them by a test of its own."""
        found = [d for d in DISPLAYS if rule_of(d) == rule]
        self.assertTrue(found, "no page has one of these any more: take the rule out")
        for display in found:
            with self.subTest(page=display.page, line=display.line, text=display.text):
                test(display)

    def test_no_display_is_unknown(self):
        unknown = ["%s:%d: no rule knows how to run '%s'" % (d.page, d.line, d.text) for d in DISPLAYS if rule_of(d) is None]
        self.assertEqual(unknown, [])
        self.assertGreater(len(DISPLAYS), 90)

    def test_nothing_is_excepted_that_is_not_shown(self):
        firsts = {d.text.splitlines()[0] for d in DISPLAYS}
        self.assertEqual([text for text in (*LOOKED_AT, *UNDERSTOOD, *STATUS) if text not in firsts], [])
        self.assertLessEqual(CODE, {d.page for d in DISPLAYS})

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_what_is_run_is_what_a_reader_sees(self):
        pages = {d.page: rendered(d.page) for d in DISPLAYS}
        for display in DISPLAYS:
            with self.subTest(page=display.page, line=display.line):
                self.assertIn("".join(display.text.split()), pages[display.page])

    def assert_ends(self, line, status=0):
        r = sandbox.run(line)
        self.assertEqual(r.returncode, status, "%s\n%s" % (line, r.stdout))
        return r.stdout

    def started(self, line):
        running = Running(sandbox, line)
        self.addCleanup(running.kill)
        return running

    def answers(self, address):
        kind, _, where = address.partition(" ")
        if not kind.startswith("tcp"):
            return harness.ask(where)
        host, _, port = where.rpartition(":")
        return harness.ask((host.strip("[]"), int(port)))

    def test_graced_runs(self):
        adopts = sandbox.run("graced check --adopt on -- ./server").returncode == 0

        def one(display):
            if not re.search(r" (-l|--listen|--config) ", display.text) and not adopts:
                self.skipTest("this machine has no adoption")
            running = self.started(display.text)
            status = json.loads(self.assert_ends("graced status --json"))
            self.assertEqual(status["phase"], "serving")
            self.assertTrue(status["addresses"])
            for address in status["addresses"]:
                self.assertTrue(self.answers(address["address"]))
            self.assertEqual(running.end(), 0, running.said())

        self.each("run", one)

    def test_graced_checks(self):
        self.each("check", lambda display: self.assert_ends(display.text))

    def test_an_instance_is_asked(self):
        instances = []

        def one(display):
            if not instances or instances[-1].process.poll() is not None:
                instances.append(self.started("graced run --name shop -l 8080 --output prefix -- ./app"))
            tool = re.search(r"\b(jq|busctl)\b", display.text)
            if tool and not shutil.which(tool.group(1)):
                self.assertEqual(subprocess.run(["sh", "-n", "-c", display.text]).returncode, 0)
            else:
                self.assert_ends(display.text, STATUS.get(display.text, 0))

        self.each("ask", one)
        for running in instances:
            self.assertEqual(running.end(), 0, running.said())

    def test_what_happens_is_followed(self):
        """Until what it waits for comes, which here is an end."""
        def one(display):
            follower = subprocess.Popen(["/bin/sh", "-c", "exec " + display.text], cwd=sandbox.place, env=sandbox.environment, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                self.assertRegex(follower.stdout.readline(), "is followed|instance-found")
            finally:
                follower.kill()
                follower.communicate()

        running = self.started("graced run --name shop -l 8080 -- ./app")
        self.each("follow", one)
        self.assertEqual(running.end(), 0, running.said())

    def test_configurations_are_understood(self):
        def one(display):
            text = display.text.replace("\\\n", "")  # one line in the file, the page says
            commands = re.findall(r"^command += .*$", text, re.M) or ["command = /srv/shop/bin/shop"]
            rest = re.sub(r"^command += .*\n?", "", text, flags=re.M)
            if "{fd:" in text and not re.search(r"^listen", text, re.M):
                rest += "\nlisten = 8080,name=http"
            # What is commented out is an alternative.
            for lines in {rest, re.sub(r"^# (?=[a-z-]+ = )", "", rest, flags=re.M)}:
                for command in commands:
                    with open(os.path.join(sandbox.place, "page.conf"), "w") as f:
                        f.write("%s\n%s\n" % (command, lines))
                    r = sandbox.run("graced check --config page.conf")
                    self.assertIn(r.returncode, (0, 1) if display.text in UNDERSTOOD else (0,), r.stdout)

        self.each("configuration", one)

    def test_a_command_is_run_in_place_of_a_server(self):
        self.each("command", lambda display: self.assertEqual(self.started("graced run -l 8080 -- " + display.text).end(), 0))

    def test_a_program_is_run_by_a_command_line_beside_it(self):
        """The sandbox has it under that name."""
        def one(display):
            lines = [d.text for d in DISPLAYS if d.page == display.page and rule_of(d) == "run"]
            self.assertTrue([line for line in lines if line.endswith("-- ./server.py")])

        self.each("program", one)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_units_are_verified(self):
        with open(os.path.join(PACKAGING, "graced@.service")) as f:
            template = re.sub(r"(?<==)graced ", harness.GRACED + " ", f.read())

        def one(display):
            units = os.path.join(sandbox.place, "units")
            shutil.rmtree(units, True)
            text = display.text.replace("/usr/bin/graced", harness.GRACED) + "\n"
            if "[Unit]" in text:
                name = "shop.service"
                write(os.path.join(units, name), text)
            else:
                name = "graced@shop.service"
                write(os.path.join(units, name), template)
                write(os.path.join(units, name + ".d", "page.conf"), text)
            r = sandbox.run("systemd-analyze verify --man=no --recursive-errors=no units/" + name)
            self.assertEqual((r.returncode, r.stdout), (0, ""))

        self.each("unit", one)

    def test_what_systemd_and_ssh_do_is_asked_of_them(self):
        """tests/systemd does this with a systemd that runs. Here the rest of each display is run, and it comes to asking."""
        def one(display):
            before = sandbox.asked()
            self.assert_ends(display.text)
            self.assertNotEqual(sandbox.asked(), before)

        self.each("elsewhere", one)

    def test_what_polkit_is_told_it_could_read(self):
        """tests/systemd/take_refused_test asks a polkit that runs, by the same display."""
        def one(display):
            if not shutil.which("node"):
                self.skipTest("node is not installed")
            r = subprocess.run(["node", "--check", "-"], input=display.text, capture_output=True, text=True)
            self.assertEqual(r.returncode, 0, r.stderr)

        self.each("policy", one)

    def test_what_graced_is_said_to_say_it_says(self):
        def complaint_about_a_line(said):
            number = int(re.search(r":(\d+):", said).group(1))
            write(os.path.join(sandbox.place, "shop.conf"), "command = ./app\n" + "\n" * (number - 2) + "worker = 2\n")
            self.assertIn(said, sandbox.run("graced run --config shop.conf || true").stdout)

        def complaint_about_an_address(said):
            with socket.create_server(("127.0.0.1", 80)) as listener:
                holder = subprocess.Popen(["nginx"], env={**sandbox.environment, "APP_FD": "0"}, stdin=listener)
            try:
                answer = sandbox.run("graced run -l 127.0.0.1:80 -- ./app || true").stdout
            finally:
                holder.kill()
                holder.wait()
            self.assertIn(re.sub(r"\bPID \d+", "PID %d" % holder.pid, said), answer)

        def one(display):
            for said in re.split(r"\n(?=shop\.conf:|generation )", display.text):
                said = " ".join(said.split())
                complaint_about_a_line(said) if said.startswith("shop.conf") else complaint_about_an_address(said)

        self.each("said", one)


if __name__ == "__main__":
    harness.main()
