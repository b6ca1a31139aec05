"""Deploys that prove themselves, with servers that know nothing of graced: a build that is ready and answers 500 gets no
client, and one that crashes while it is on probation costs those in flight in it and nobody else."""
import os, subprocess
from program import SERVERS, ProgramCase, built, found, main, setUpModule
from harness import GRACED, PATIENCE  # found by program

PORT = ("127.0.0.1", 8080)
WHERE = "127.0.0.1:8080"
PROBE = ("--probe", "http://127.0.0.1:8080/,interval=500ms,timeout=1min")
MANY = 20_000
SICK = "500 Internal Server Error"


class Deploy(ProgramCase):
    def deploy(self, *words):
        """The next build: what the command is from then on."""
        return self.write("run", '#!/bin/sh\nexec %s "$@"\n' % " ".join(words), 0o755)

    def node(self, status, port="8080"):
        self.write("app.js", "require('http').createServer((request, answer) => { answer.statusCode = %d; answer.end(`pid ${process.pid}\\n`); }).listen(%s);\n"
                   % (status, port))
        return found("node"), self.path("app.js")

    def nginx(self, broken):
        """Broken: what it is the proxy of is not there."""
        os.chmod(self.directory, 0o755)  # its workers are nobody
        with open(os.path.join(SERVERS, "nginx.conf")) as f:
            conf = f.read()
        if broken:
            conf = conf.replace('return 200 "pid $pid\\n";', "proxy_pass http://127.0.0.1:9;")
        return found("nginx"), "-p", self.directory, "-c", self.write("nginx.conf", conf)

    def sick_one_reaches_nobody(self, g, saw, sick):
        """While others ask without a pause."""
        load = self.load(WHERE, "--clients", "8", "--count", str(MANY), "--expect", "pid ")
        load.began()
        sick()
        r = g.reload()
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn("GET http://127.0.0.1:8080/: %s, 3 of 3 failed" % saw, r.stderr)
        self.assertIn("generation 1 still serves", r.stderr)
        load.process.wait(PATIENCE)
        report = load.report()
        self.assertEqual((report["failed"], report["soft"], report["answered"]), (0, 0, MANY), report)

    def healthy_one_serves(self, g, healthy):
        healthy()
        self.reload(g)
        serving, = g.workers("ready")
        self.assertEqual(self.answered_by(g, self.answer(PORT)), serving["pid"])
        self.assertEqual(g.end(), 0)  # the port is the next test's

    def go_is_probed(self, **more):
        server = built("server")
        g = self.program(self.deploy(server, ":8080"), options=PROBE, **more)
        self.sick_one_reaches_nobody(g, SICK, lambda: self.deploy(server, "-status", "500", ":8080"))
        self.healthy_one_serves(g, lambda: self.deploy(server, ":8080"))

    def test_a_go_build_that_answers_500(self):
        self.go_is_probed()

    def test_a_go_build_that_answers_500_for_an_ordinary_user(self):
        self.go_is_probed(preexec=self.as_nobody_for_good)

    def test_a_go_build_that_answers_500_with_a_socket_of_graced_s(self):
        server = built("server")
        g = self.passed(WHERE, self.deploy(server, "fd:3"), options=PROBE)
        self.sick_one_reaches_nobody(g, SICK, lambda: self.deploy(server, "-status", "500", "fd:3"))
        self.healthy_one_serves(g, lambda: self.deploy(server, "fd:3"))

    def test_a_node_build_that_answers_500(self):
        g = self.program(*self.node(200), options=PROBE)
        self.sick_one_reaches_nobody(g, SICK, lambda: self.node(500))
        self.healthy_one_serves(g, lambda: self.node(200))

    def test_a_node_build_that_answers_500_with_a_socket_of_graced_s(self):
        g = self.passed(WHERE, *self.node(200, "{ fd: 3 }"), options=PROBE)
        self.sick_one_reaches_nobody(g, SICK, lambda: self.node(500, "{ fd: 3 }"))
        self.healthy_one_serves(g, lambda: self.node(200, "{ fd: 3 }"))

    def test_nginx_before_somebody_who_is_not_there(self):
        g = self.program(*self.nginx(broken=False), options=PROBE)
        self.sick_one_reaches_nobody(g, "502 Bad Gateway", lambda: self.nginx(broken=True))
        self.nginx(broken=False)
        self.reload(g)
        self.assertEqual(g.end(), 0)

    def crashes_on_probation(self, **more):
        """Under 500 requests a second."""
        server = built("server")
        g = self.program(self.deploy(server, ":8080"), options=("--probation", "1h"), **more)
        good = g.workers("ready")
        load = self.load(WHERE, "--rate", "500")
        load.began()
        for bad in range(2):
            self.deploy(server, "-die", "1s", ":8080")
            reload = subprocess.Popen([GRACED, "reload", "--settled", "--control", g.control], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
            self.addCleanup(lambda: (reload.kill(), reload.communicate()))
            load.next_pid()  # it is answering
            _, why = reload.communicate(timeout=PATIENCE)
            self.assertEqual(reload.returncode, 1, why)
            self.assertIn("rolled back: worker 0 exited with status 7 after ", why)
            self.assertIn("generation 1 still serves", why)
            self.assertEqual([w["pid"] for w in g.workers("ready")], [w["pid"] for w in good])
            self.assertEqual(self.answered_by(g, self.answer(PORT)), good[0]["pid"])
        report = load.report()
        # A connection that the crashed one had accepted is reset, and nobody can change that.
        never = "refused", "timeout", "http", "body", "local"
        self.assertEqual({f: report["failures"][f] for f in never if report["failures"][f]}, {}, report)
        self.assertEqual((g.status()["rollbacks"], g.status()["restarts"]), (2, 0))
        self.assertEqual(g.end(), 0)

    def test_a_build_that_crashes_on_probation(self):
        self.crashes_on_probation()

    def test_a_build_that_crashes_on_probation_of_an_ordinary_user(self):
        self.crashes_on_probation(preexec=self.as_nobody_for_good)


if __name__ == "__main__":
    main()
