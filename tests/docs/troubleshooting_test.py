"""packaging/docs/troubleshooting.md and README's table of what it says: every message is what graced says, and the way
out is one."""
import os, re, shutil, unittest
from newcomer import ADDRESS, ROOT, Document, Newcomer, ask, live_apart, main, needs, quoted, wait_until

SERVER = "import http.server as h; h.ThreadingHTTPServer(('', %d), h.SimpleHTTPRequestHandler).serve_forever()\n"
PYTHON = "/usr/bin/python3 -B app.py"
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups "


def setUpModule():
    live_apart()


def messages():
    """Heading to the messages that stand under it: indented lines."""
    heading, found = "", {}
    with open(os.path.join(ROOT, "packaging/docs/troubleshooting.md")) as f:
        for line in f:
            if line.startswith("#"):
                heading = line.lstrip("#").strip()
            elif line.startswith("    "):
                found.setdefault(heading, []).append(line.strip())
    return found


def as_pattern(message):
    """Numbers, hosts and who has the port differ, and three dots stand for what is left out."""
    pattern = re.escape(re.sub(r"tcp \S+:\d+", "ADDRESS", message)).replace("ADDRESS", r"tcp \S+:\d+").replace("…", ".*")
    return re.sub(r"(?<![\d\\])\d+", r"\\d+", pattern)


class Troubleshooting(Newcomer):
    told = messages()

    def setUp(self):
        super().setUp()
        self.write("app.py", SERVER % 8080)

    def says(self, heading, text, number=0):
        """The document's message is in the text."""
        message = self.told[heading][number]
        self.assertRegex(text, as_pattern(message))

    def test_every_message_has_a_test(self):
        with open(__file__) as f:
            source = f.read()
        for heading, found in self.told.items():
            for number in range(len(found)):
                self.assertGreater(source.count('.says("%s", ' % heading), number, "%s, message %d" % (heading, number))
        readme = [quoted(row[0])[0] for row in Document("README.md").rows["When something is wrong"] if quoted(row[0])]
        document = "\n".join(sum(self.told.values(), []))
        for message in readme:
            self.assertRegex(document, as_pattern(message))

    def test_address_in_use(self):
        self.start(PYTHON)
        self.answers()
        self.says("Address in use", self.sh("graced run -l 8080 -- " + PYTHON, code=1))

    def test_address_in_use_at_a_reload(self):
        self.serving("graced run --adopt off -- " + PYTHON)
        self.assertIn("Address already in use", self.sh("graced reload", code=1))
        self.assertIn("serving generation 1", self.sh("graced status"))

    def test_adoption_beside_a_socket(self):
        """-l turns adoption off, --adopt on turns it on again."""
        self.write("app.py", "import http.server as h, socket, threading\n"
                             "server = h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler)\n"
                             "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
                             "while True: socket.socket(fileno=3).accept()\n")
        line = "graced run -l unix:extra.sock -- " + PYTHON
        process = self.serving(line)
        self.assertIn("Address already in use", self.sh("graced reload", code=1))
        self.end(process)
        self.assert_free()
        self.serving(line.replace("run", "run --adopt on"))
        self.assertRegex(self.sh("graced status"), r"adopted +tcp \S+:8080")
        self.sh("graced reload")
        ask(ADDRESS)

    def test_not_ready_because_the_server_binds_a_port_of_its_own(self):
        self.says("Not ready", self.sh("graced run -l 8081 --ready-timeout 3s -- " + PYTHON, code=1))
        self.serving("graced run -- " + PYTHON)

    def test_not_ready_because_nobody_says_so(self):
        self.says("Not ready", self.sh("graced run --ready notify --ready-timeout 3s -- " + PYTHON, code=1), 1)

    def test_nothing_listens_on(self):
        self.write("shop.conf", "command = %s\n" % PYTHON)
        self.serving("graced run --config shop.conf")
        self.write("app.py", SERVER % 8082)
        self.says("Nothing listens on", self.sh("graced reload", code=1))
        ask(ADDRESS)
        self.write("shop.conf", "command = %s\nadopt-changes = allow\n" % PYTHON)
        self.sh("graced reload")
        ask(("127.0.0.1", 8082))

    @needs("systemd-notify", "setsid")
    def test_ready_from_a_stranger(self):
        self.write("app", "#!/bin/sh\nsetsid -f systemd-notify --ready\nexec %s\n" % PYTHON, 0o755)
        process = self.start("graced run --ready notify --ready-timeout 10min -- ./app")
        wait_until(lambda: "ignored: READY=1" in self.said(), self.said)
        self.says("READY=1 from a process that is not the worker's", self.said())
        self.end(process)
        self.assert_free()
        self.write("app", "#!/bin/sh\nsystemd-notify --ready\nexec %s\n" % PYTHON, 0o755)
        self.serving("graced run --ready notify -- ./app")

    def test_ports_below_1024(self):
        os.chown(self.directory, 65534, 65534)
        control = "GRACED_CONTROL=" + self.path("control")
        self.says("Ports below 1024", self.sh("env %s %sgraced run -l 80 -- %s" % (control, NOBODY, PYTHON), code=1))
        self.write("app.py", SERVER % 80)
        process = self.serving("graced run --user www-data -- " + PYTHON)
        ask(("127.0.0.1", 80))
        worker, = self.status()["workers"]
        with open("/proc/%d/status" % worker["pid"]) as f:
            self.assertRegex(f.read(), r"CapEff:\s+0+\n")
        self.sh("graced reload")
        self.end(process)
        self.assert_free(80)

        # What AmbientCapabilities= of a unit gives.
        self.write("app.py", "import socket\nwhile True: socket.socket(fileno=3).accept()\n")
        self.env["GRACED_CONTROL"] = self.path("control")
        capability = "--inh-caps +net_bind_service --ambient-caps +net_bind_service "
        process = self.serving(NOBODY + capability + "graced run -l 80 -- " + PYTHON)
        self.sh("graced reload")
        self.end(process)

    @unittest.skipUnless(shutil.which("setcap"), "not installed: setcap")
    def test_upgrade_refused(self):
        os.chown(self.directory, 65534, 65534)
        self.env["GRACED_CONTROL"] = self.path("control")
        process = self.serving(NOBODY + "--inh-caps +net_bind_service --ambient-caps +net_bind_service graced run --name shop -- " + PYTHON)
        self.sh("cp /bin/true graced.new")
        self.says("An upgrade is refused", self.sh("graced upgrade --binary ./graced.new", code=1))
        self.sh("cp $(command -v graced) graced.new; setcap cap_kill=ep graced.new")
        self.says("An upgrade is refused", self.sh("graced upgrade --binary ./graced.new", code=1), 1)
        self.sh("setcap -r graced.new; graced upgrade --check --binary ./graced.new; graced upgrade --binary ./graced.new")
        self.sh("graced reload")
        self.end(process)

    def test_not_ready_because_a_wrapper_has_the_socket(self):
        # As a server that looks at LISTEN_PID, and so finds nothing for it.
        self.write("app", "#!/bin/sh\nsleep infinity\ntrue\n", 0o755)
        with open(os.path.join(ROOT, "packaging/docs/troubleshooting.md")) as f:
            told, = re.findall(r"is named, with\s+`([^`]+)`", f.read())
        self.assertIn(told, self.sh("graced run --ready-timeout 10s --stop-timeout 1s -l 8080 -- ./app", code=1))

    def test_no_place_for_the_control_socket(self):
        os.chown(self.directory, 65534, 65534)
        self.says("No place for the control socket", self.sh("env -u XDG_RUNTIME_DIR %sgraced run -- true" % NOBODY, code=1))

    def test_which_build_runs_after_a_crash(self):
        self.serving("graced run --restart-delay 10ms -- " + PYTHON)
        self.write("app.py", SERVER % 8080 + "# changed\n")
        self.assertRegex(self.sh("graced status"), r"changed +a replacement would run files changed since: .*app\.py")


if __name__ == "__main__":
    main()
