"""The image of packaging/container as README has it run: by podman, with no right that can be taken away."""
import itertools, json, os, subprocess, tempfile, unittest

from engine import PATIENCE, PORT, ROOT, SERVER, Case, Request, ask, wait_until
from load import reload_under_load

NEXT = os.environ["GRACED_NEXT"]  # graced of another version
HELLO = os.path.join(ROOT, "tests", "packages", "servers", "hello.c")
NOTHING = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
LISTENED = ("--listen", str(PORT), "--", SERVER)
ADOPTED = ("--", SERVER, "0.0.0.0:%d" % PORT)


class Image(Case):
    def test_reloads_lose_nothing_though_it_may_nothing(self):
        for kind, command in (("listened", LISTENED), ("adopted", ADOPTED)):
            with self.subTest(kind):
                name = self.start(*command, options=NOTHING)
                for reload, generations in ((lambda: self.podman("kill", "--signal", "HUP", name), range(2, 6)),
                                            (lambda: self.exec(name, "graced", "reload"), range(6, 10))):
                    reload_under_load(self, "127.0.0.1:%d" % PORT, reload, lambda generation: self.serves(name, generation), generations)
                self.assertEqual(self.status(name)["pid"], 1)
                self.podman("rm", "--force", "--time=0", name)

    def test_pid_1_becomes_another_graced_that_is_brought_in_and_nobody_notices(self):
        for kind, command in (("listened", LISTENED), ("adopted", ADOPTED)):
            with self.subTest(kind):
                name = self.start(*command, options=NOTHING)
                own = self.status(name)["version"]
                self.podman("cp", NEXT, name + ":/tmp/graced.new")
                programs = itertools.cycle(("/tmp/graced.new", "/usr/bin/graced"))

                def upgrade_and_reload():
                    program = next(programs)
                    worker = self.serving_workers(name)
                    self.exec(name, "graced", "upgrade", "--binary", program)
                    self.assertEqual(self.exec(name, "readlink", "/proc/1/exe").stdout.strip(), program)
                    status = self.status(name)
                    self.assertEqual((status["pid"], status["version"] == own), (1, program == "/usr/bin/graced"))
                    self.assertEqual(self.serving_workers(name), worker)
                    self.podman("kill", "--signal", "HUP", name)

                reload_under_load(self, "127.0.0.1:%d" % PORT, upgrade_and_reload, lambda generation: self.serves(name, generation),
                                  range(2, 8))
                self.podman("stop", "--time=60", name)
                self.assertEqual(self.state(name)["ExitCode"], 0, self.said(name))

    def serving_workers(self, name):
        return [w["pid"] for w in self.status(name)["workers"] if w["state"] == "ready"]

    def test_a_file_that_is_no_graced_leaves_pid_1_alone(self):
        name = self.start(*LISTENED, options=NOTHING)
        for program in ("/bin/true", "/bin/sh", "/nowhere"):
            with self.subTest(program):
                answer = self.exec(name, "graced", "upgrade", "--binary", program, ok=False)
                self.assertEqual(answer.returncode, 1, answer.stdout + answer.stderr)
                self.assertIn(program, answer.stderr)
        self.assertEqual(self.exec(name, "readlink", "/proc/1/exe").stdout.strip(), "/usr/bin/graced")
        self.assertIn("pid", ask(("127.0.0.1", PORT)))

    def test_a_stop_answers_what_is_under_way_and_ends_with_status_0(self):
        for kind, command in (("listened", LISTENED), ("adopted", ADOPTED)):
            with self.subTest(kind):
                name = self.start(*command, options=NOTHING)
                request = Request(1500)
                self.podman("stop", "--time=60", name)
                self.assertIn("200 OK", request.answer())
                self.assertEqual(self.state(name)["ExitCode"], 0, self.said(name))

    def test_a_stop_ends_in_an_engines_time_though_a_request_does_not(self):
        name = self.start(*LISTENED, options=NOTHING)
        self.addCleanup(Request(600_000).socket.close)
        self.podman("stop", "--time=%d" % PATIENCE, name)
        self.assertEqual(self.state(name)["ExitCode"], 0, self.said(name))  # 137: the engine had to kill it
        self.assertEqual(self.image()["Config"]["Env"][-1], "GRACED_STOP_TIMEOUT=8s")  # of 10 s

    def test_it_runs_as_anybody(self):
        """OpenShift: a uid of its choice and group 0."""
        for user in ("1234:0", "1234:1234", "0:0"):
            for options in (NOTHING, ("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp")):
                with self.subTest(user=user, options=options):
                    name = self.start(*LISTENED, options=("--user", user, *options))
                    self.exec(name, "graced", "reload")
                    self.serves(name, 2)
                    self.podman("stop", "--time=60", name)
                    self.assertEqual(self.state(name)["ExitCode"], 0, self.said(name))

    def test_killed_it_can_be_started_again(self):
        name = self.start(*LISTENED)
        self.podman("kill", "--signal", "KILL", name)
        self.podman("wait", name)
        self.podman("start", name)
        self.becomes_ready(name)

    def test_it_is_healthy_once_it_serves(self):
        for command, healthy in ((LISTENED, True), (("--listen", str(PORT), "--ready=notify", "--", "sleep", "600"), False)):
            with self.subTest(healthy=healthy):
                name = self.start(*command, options=NOTHING, ready=healthy)
                wait_until(lambda: self.exec(name, "graced", "status", "--alive", ok=False).returncode == 0, lambda: self.said(name))
                self.assertEqual(self.podman("healthcheck", "run", name, ok=False).returncode == 0, healthy)
                self.podman("rm", "--force", "--time=0", name)

    def test_the_health_check_that_is_told_to_podman_is_the_same(self):
        """An image of OCI's format has none."""
        name = self.start(*LISTENED, options=("--health-cmd", "graced status --ready", "--health-start-period", "40s"))
        self.podman("healthcheck", "run", name)

    def image(self):
        return json.loads(self.podman("image", "inspect", "localhost/graced").stdout)[0]

    def test_its_bundle_works_in_an_image_of_nothing(self):
        with tempfile.TemporaryDirectory() as context:
            subprocess.run(["cc", "-static", "-o", context + "/server", HELLO], check=True)
            with open(context + "/Containerfile", "w") as f:
                f.write("FROM scratch\nCOPY --from=localhost/graced /opt/graced /opt/graced\nCOPY server /server\n"
                        "ENV PATH=/opt/graced/bin GRACED_CONTROL=/tmp/control\nENTRYPOINT [\"graced\", \"run\", \"--\", \"/server\"]\n")
            self.podman("build", "--pull=never", "-t", "nothing", context)
        name = self.start(options=("--user=1234:1234", *NOTHING), image="localhost/nothing")
        self.exec(name, "graced", "reload")
        self.serves(name, 2)
        self.assertIn("pid", ask(("127.0.0.1", PORT)))
        self.podman("stop", "--time=60", name)
        self.assertEqual(self.state(name)["ExitCode"], 0, self.said(name))

    def test_it_says_what_it_is(self):
        config = self.image()["Config"]
        self.assertEqual(config["User"], "10000:10000")
        self.assertEqual(config["StopSignal"] in ("15", "SIGTERM"), True, config)
        self.assertEqual(config["Labels"]["org.opencontainers.image.title"], "graced")
        self.assertEqual(config["Labels"]["org.opencontainers.image.licenses"], "MIT")
        seconds = {k: v / 1e9 for k, v in self.image()["HealthCheck" if "HealthCheck" in self.image() else "Healthcheck"].items()
                   if k != "Test" and v > 1000}
        self.assertEqual(seconds, {"Interval": 10, "Timeout": 5, "StartPeriod": 40})

    def test_nothing_is_left_of_how_it_was_built(self):
        said = self.podman("run", "--rm", "--user=0", "--entrypoint=du", "localhost/graced", "-sk", "/var/cache/apt", "/var/lib/apt/lists",
                           "/tmp").stdout
        for line in said.splitlines():
            self.assertLess(int(line.split()[0]), 100, said)
        layers = [each["size"] for each in json.loads(self.podman("history", "--format", "json", "localhost/graced").stdout)]
        self.assertLess(sum(layers[:-1]), 20_000_000, layers)  # the last one is the base


if __name__ == "__main__":
    unittest.main()
