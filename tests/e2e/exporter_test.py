"""graced-exporter: metrics, JSON and events over HTTP, what they agree with, and what they never tell."""
import json, os, re, shutil, signal, socket, subprocess, tempfile, unittest

from datagram_flows import ECHO, Flows
from exported import EXPORTER, ExportedCase
from harness import PATIENCE, NO_PRIVILEGE, main, wait_until

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
MANUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "man", "graced-exporter.1")


class Metrics(ExportedCase):
    def test_what_was_done_is_what_was_counted(self):
        g = self.switchable("-w", "2", "--restart-delay", "0")
        e = self.exporter(g)
        self.assertEqual(e.metrics()['graced_up{name="t"}'], 1)
        for _ in range(2):
            self.become("ready", "serve")
            self.assertEqual(g.reload().returncode, 0)
        self.become("exit=3")
        self.assertEqual(g.reload().returncode, 1)
        m = e.metrics()
        self.assertEqual(m['graced_reloads_total{name="t",outcome="ok"}'], 2)
        self.assertEqual(m['graced_reloads_total{name="t",outcome="failed"}'], 1)
        self.assertEqual(m['graced_reload_failures_total{name="t",reason="start"}'], 1)
        self.assertEqual(m['graced_reload_failures_total{name="t",reason="probe"}'], 0)
        self.assertEqual(m['graced_last_reload_failed{name="t"}'], 1)
        self.assertEqual(m['graced_reload_duration_seconds_count{name="t",stage="total"}'], 2)
        self.assertGreater(m['graced_reload_duration_seconds_sum{name="t",stage="start"}'], 0)
        self.assertEqual(m['graced_serving_generation{name="t"}'], 3)
        self.assertEqual(m['graced_phase{name="t",phase="serving"}'], 1)
        self.assertEqual(m['graced_workers{name="t",state="ready"}'], 2)
        self.assertEqual(m['graced_workers_asked{name="t"}'], 2)
        self.assertEqual(m['graced_history_gaps_total{name="t"}'], 0)

        self.become("ready", "serve")
        os.kill(g.workers("ready")[0]["pid"], signal.SIGKILL)
        wait_until(lambda: g.status()["restarts"] == 1 and g.status()["phase"] == "serving")
        m = e.metrics()
        self.assertEqual(m['graced_worker_restarts_total{name="t"}'], 1)
        self.assertEqual(m['graced_worker_crashes_total{name="t"}'], 1)

        # Another exporter counts what happens from then on, so that nothing is counted twice over the two of them.
        m = self.exporter(g).metrics()
        self.assertEqual(m['graced_worker_crashes_total{name="t"}'], 0)
        self.assertEqual(m['graced_reload_duration_seconds_count{name="t",stage="total"}'], 0)
        self.assertEqual(m['graced_reloads_total{name="t",outcome="ok"}'], 2)

    def test_an_old_generation_that_drains_and_one_that_is_killed_for_it_are_seen(self):
        g = self.switchable("--drain-timeout", "10min", "--env", "LEAVE_FILE=" + self.path("leave"))
        e = self.exporter(g)
        self.assertEqual(e.metrics()['graced_draining_generations{name="t"}'], 0)
        self.become("ready", "serve-late")
        self.assertEqual(g.reload().returncode, 0)
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        wait_until(lambda: e.metrics()['graced_workers{name="t",state="draining"}'] == 1)
        m = e.metrics()
        self.assertEqual(m['graced_draining_generations{name="t"}'], 1)
        self.assertGreater(m['graced_oldest_draining_seconds{name="t"}'], 0)
        self.assertEqual(g.run("hammer").returncode, 0)
        wait_until(lambda: e.metrics()['graced_draining_generations{name="t"}'] == 0)
        self.assertEqual(e.metrics()['graced_hammered_workers_total{name="t"}'], 1)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_udp_flows_and_datagrams_are_those_that_were_sent(self):
        g = self.graced("--drain", "idle", options=("-l", "udp:127.0.0.1:0"), command=(self.write("echo", ECHO, 0o755),))
        e = self.exporter(g)
        e.metrics()
        if not g.status()["udp"]:
            self.skipTest("flows cannot be counted here, see graced check")
        old = Flows(g.address(), 7, pause=0.1, new=0)
        wait_until(lambda: old.answered() == 7)
        self.assertEqual(g.reload().returncode, 0, g.said())
        new = Flows(g.address(), 5, pause=0.1, new=0)
        wait_until(lambda: new.answered() == 5)
        old.end()
        new.end()
        m = e.metrics()
        self.assertEqual([m['graced_udp_flows{name="t",role="%s"}' % role] for role in ("draining", "serving")], [7, 5])
        came = sum(value for name, value in m.items() if name.startswith("graced_udp_datagrams_total"))
        self.assertEqual(came, old.sent() + new.sent())

    def test_promtool_finds_nothing(self):
        g = self.serving()
        e = self.exporter(g)
        self.assertEqual(g.reload().returncode, 0)
        status, headers, text = e.ask("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "", ""))

    def test_open_metrics_is_for_who_accepts_it(self):
        e = self.exporter(self.serving())
        _, headers, text = e.ask("/metrics", Accept=OPEN_METRICS)
        self.assertEqual(headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertIn("# TYPE graced_reloads counter\n", text)

    def test_an_instance_that_was_killed_is_down_and_one_that_has_ended_is_not_there(self):
        killed, ended = self.serving(name="killed"), self.serving(name="ended")
        for g in (killed, ended):
            os.makedirs(self.path("run/graced/" + g.name))
            os.symlink(g.control, self.path("run/graced/%s/control" % g.name))
        e = self.exporter(env={"XDG_RUNTIME_DIR": self.path("run")})
        m = e.metrics()
        self.assertEqual((m['graced_up{name="killed"}'], m['graced_up{name="ended"}']), (1, 1))
        for worker in killed.workers():
            self.addCleanup(self.end_of, worker["pid"])
        killed.process.kill()
        killed.process.wait()
        ended.end()
        m = wait_until(lambda: (m := e.metrics())['graced_up{name="killed"}'] == 0 and m)
        self.assertEqual(m['graced_unread{name="killed",reason="gone"}'], 1)
        self.assertNotIn('graced_up{name="ended"}', m)
        self.assertNotIn('graced_phase{name="killed",phase="serving"}', m)


class Api(ExportedCase):
    SECRET = "password=hunter2"

    def test_the_state_is_what_the_commands_tell(self):
        g = self.serving()
        e = self.exporter(g)
        told, = e.json("/instances")
        one = e.json("/instances/t")
        status = g.status()
        for answer in (told, one):
            self.assertEqual(list(answer), list(status))
            for key in ("name", "phase", "serving", "addresses", "reloads", "pid"):
                self.assertEqual(answer[key], status[key])
        history = e.json("/instances/t/history")
        self.assertEqual([entry["event"] for entry in history["history"]], ["serving"])
        self.assertEqual(e.ask("/api/v1/instances/other")[0], 404)
        self.assertEqual(e.ask("/nowhere")[0], 404)
        status, headers, body = e.ask("/")
        self.assertEqual(status, 200)
        self.assertIn("/metrics", body)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])

    def everything(self, e, events):
        _, event = events.wait("reload-failed")
        return json.dumps(event) + "".join(e.ask(path)[2] for path in (
            "/metrics", "/api/v1/instances", "/api/v1/instances/t", "/api/v1/instances/t/history"))

    def test_last_words_and_command_lines_stay_here_unless_it_is_asked_to_tell_them(self):
        g = self.switchable("--env", "NOT_FOR_ALL=" + self.SECRET)
        quiet, open_one = self.exporter(g), self.exporter(g, options=("--show-secrets",))
        of_quiet, of_open = self.events(quiet), self.events(open_one)
        self.become("say=" + self.SECRET, "exit=3")
        self.assertEqual(g.reload().returncode, 1)
        self.assertIn(self.SECRET, g.run("status", "--json").stdout)
        told = self.everything(quiet, of_quiet)
        self.assertNotIn("hunter2", told)
        self.assertIsNone(quiet.json("/instances/t")["command"])
        self.assertIn(self.SECRET, self.everything(open_one, of_open))
        self.assertEqual(open_one.json("/instances/t")["command"], g.status()["command"])

    def test_events_are_told_as_they_happen_and_a_reader_that_comes_back_goes_on(self):
        g = self.switchable()
        e = self.exporter(g)
        events = self.events(e)
        events.wait("instance-found")
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        seen = [events.wait(event)[1] for event in ("preparing", "starting", "ready")]
        self.assertEqual([event["generation"] for event in seen], [2, 2, 2])
        fields, reloaded = events.wait("reloaded")
        self.assertEqual((reloaded["name"], reloaded["generation"], reloaded["outcome"], reloaded["schema"]), ("t", 2, "ok", 1))
        events.close()
        self.become("exit=3")
        self.assertEqual(g.reload().returncode, 1)
        again = self.events(e, Last_Event_ID=fields["id"])
        _, failed = again.wait("reload-failed")
        self.assertEqual((failed["generation"], failed["serving"]), (3, 2))

    def test_nothing_can_be_changed(self):
        e = self.exporter()
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            status, headers, _ = e.ask("/metrics", method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        status, headers, body = e.ask("/metrics", "HEAD")
        self.assertEqual((status, body), (200, ""))


class Starting(ExportedCase):
    def test_without_any_privilege_it_sees_all_that_there_is(self):
        g = self.serving()
        os.chmod(self.directory, 0o755)
        of_root, of_nobody = (set(e.metrics()) for e in (self.exporter(g), self.exporter_as_nobody(g)))
        self.assertEqual(of_root - of_nobody, {'graced_open_fds{name="t"}', 'graced_pss_bytes{name="t"}'})

    def exporter_as_nobody(self, g):
        from exported import Exporter
        e = Exporter("--control", g.control, within=NO_PRIVILEGE if os.geteuid() == 0 else ())
        self.addCleanup(e.close)
        return e

    @unittest.skipUnless(os.geteuid() == 0, "only root can close a directory to an exporter of somebody else")
    def test_an_instance_whose_directory_is_closed_to_it_is_told_as_refused(self):
        from exported import Exporter
        closed = 'mount -t tmpfs none /run && mkdir -p /run/graced/closed && chmod 700 /run/graced/closed && exec "$@"'
        e = Exporter(within=("unshare", "--mount", "sh", "-c", closed, "closed", *NO_PRIVILEGE))
        self.addCleanup(e.close)
        m = e.metrics()
        self.assertEqual((m['graced_up{name="closed"}'], m['graced_unread{name="closed",reason="refused"}']), (0, 1))

    def test_a_socket_that_systemd_passes_is_served(self):
        from exported import Exporter
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        at_three = lambda: (os.dup2(listening.fileno(), 3), os.set_inheritable(3, True))  # noqa: E731
        e = Exporter(within=("sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "passing"), address=listening.getsockname(),
                     preexec_fn=at_three, close_fds=False)
        self.addCleanup(e.close)
        self.assertEqual(e.ask("/")[0], 200)
        self.assertEqual(e.end(), 0)

    def test_a_unix_socket_is_served_and_removed(self):
        path = self.path("exporter.sock")
        process = subprocess.Popen([EXPORTER, "--listen", "unix:" + path], stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.wait(), process.stderr.close()))
        self.assertIn("listening on unix " + path, process.stderr.readline())
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"200 OK", s.recv(4096))
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertFalse(os.path.exists(path))

    def test_wrong_options_are_told_in_a_line(self):
        for words in (["--nonsense"], ["--listen", "127.0.0.1:x"], ["--listen", "udp:53"], ["--time-limit", "1h"], ["word"]):
            r = subprocess.run([EXPORTER, *words], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((r.returncode, r.stdout, r.stderr.count("\n")), (2, "", 1), r.stderr)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            r = subprocess.run([EXPORTER, "--listen", "127.0.0.1:%d" % taken.getsockname()[1]], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((r.returncode, r.stderr.count("\n")), (1, 1))
        self.assertIn("Address already in use", r.stderr)

    def test_the_manual_has_every_option_and_every_metric(self):
        with open(MANUAL) as f:
            manual = f.read()
        shown = subprocess.run([EXPORTER, "--help"], capture_output=True, text=True, timeout=PATIENCE).stdout
        options = re.findall(r"^ +--([\w-]+)", shown, re.M)
        self.assertGreater(len(options), 5)
        self.assertEqual(options, re.findall(r"^\.It Fl -([\w-]+)", manual, re.M))
        e = self.exporter(self.serving())
        for name in {re.sub(r"(_bucket|_sum|_count)?(\{.*)?$", "", line) for line in e.metrics()}:
            self.assertRegex(manual, r"\b%s\b" % name)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_the_units_are_understood(self):
        packaging = os.path.join(os.path.dirname(MANUAL), "..", "exporter")
        with tempfile.TemporaryDirectory() as units:
            for unit in ("graced-exporter.service", "graced-exporter.socket"):
                with open(os.path.join(packaging, unit)) as f, open(os.path.join(units, unit), "w") as to:
                    to.write(f.read().replace("ExecStart=graced-exporter", "ExecStart=" + EXPORTER))
            r = subprocess.run(["systemd-analyze", "verify", "--man=no", *(os.path.join(units, unit) for unit in os.listdir(units))],
                               capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((r.returncode, r.stdout + r.stderr), (0, ""))


if __name__ == "__main__":
    main()
