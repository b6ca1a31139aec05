"""packaging/monitoring with a real Prometheus that scrapes real instances under reloads: every panel of the dashboard has
data, counters agree with what was done, and the alerts are what their stories say."""
import json, math, os, shutil, signal, socket, subprocess, unittest, urllib.parse, urllib.request

from exported import ExportedCase
from harness import PATIENCE, main, wait_until

MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "monitoring")


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
class Alerts(unittest.TestCase):
    def promtool(self, *words):
        r = subprocess.run(["promtool", *words], cwd=MONITORING, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_each_alert_is_raised_and_cleared_as_its_story_says(self):
        self.promtool("check", "rules", "graced.rules.yml")
        self.promtool("test", "rules", "graced.rules.test.yml")

    def test_no_alert_is_without_a_story(self):
        import yaml
        with open(os.path.join(MONITORING, "graced.rules.yml")) as f:
            alerts = {rule["alert"] for group in yaml.safe_load(f)["groups"] for rule in group["rules"]}
        with open(os.path.join(MONITORING, "graced.rules.test.yml")) as f:
            stories = [story for each in yaml.safe_load(f)["tests"] for story in each["alert_rule_test"]]
        self.assertEqual({s["alertname"] for s in stories if s["exp_alerts"]}, alerts)
        self.assertEqual({s["alertname"] for s in stories if not s["exp_alerts"]}, alerts)


class Prometheus:
    def __init__(self, directory, target):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w") as f:
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                       "rule_files": [os.path.join(MONITORING, "graced.rules.yml")],
                       "scrape_configs": [{"job_name": "graced", "static_configs": [{"targets": ["127.0.0.1:%d" % target]}]}]}, f)
        self.log = open(os.path.join(directory, "prometheus.log"), "wb")
        self.process = subprocess.Popen(["prometheus", "--config.file", config, "--storage.tsdb.path", os.path.join(directory, "data"),
                                         "--web.listen-address", "127.0.0.1:%d" % self.port], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def ask(self, what, **parameters):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self.port, what, urllib.parse.urlencode(parameters))
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []  # it does not listen yet

    def query(self, expression):
        """[(labels, number)]"""
        return [(r["metric"], float(r["value"][1])) for r in self.ask("query", query=expression)]

    def value(self, expression):
        found = self.query(expression)
        return found[0][1] if len(found) == 1 else None

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Scraped(ExportedCase):
    def panels(self):
        with open(os.path.join(MONITORING, "graced.dashboard.json")) as f:
            for panel in json.load(f)["panels"]:
                for target in panel["targets"]:
                    expression = target["expr"].replace("$__rate_interval", "5m").replace("$name", ".*").replace("$instance", ".*")
                    self.assertNotIn("$", expression)
                    yield panel["title"], expression

    def until(self, prometheus, expression, expected):
        wait_until(lambda: prometheus.value(expression) == expected,
                   lambda: "%s is %s, not %s" % (expression, prometheus.query(expression), expected))

    def test_every_panel_has_data_and_counters_agree_with_what_was_done(self):
        g = self.switchable("-w", "2", "--restart-delay", "0", "--check", "/bin/true", "--drain-timeout", "10min",
                            "--env", "LEAVE_FILE=" + self.path("leave"))
        e = self.exporter(g)
        prometheus = Prometheus(self.directory, e.address[1])
        self.addCleanup(prometheus.close)
        self.until(prometheus, 'graced_up{name="t"}', 1)

        good, bad = 6, 2
        for i in range(good):
            self.become("ready", "serve")
            self.assertEqual(g.reload().returncode, 0)
            if i < bad:
                self.become("exit=3")
                self.assertEqual(g.reload().returncode, 1)
            # Each of them is seen by itself, not all in one scrape.
            self.until(prometheus, 'graced_reloads_total{outcome="ok"}', i + 1)
        self.become("ready", "serve-late")
        os.kill(g.workers("ready")[0]["pid"], signal.SIGKILL)
        self.until(prometheus, "graced_worker_restarts_total", 1)
        self.until(prometheus, 'graced_phase{phase="serving"}', 1)
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        good += 1
        self.until(prometheus, 'graced_workers{state="draining"}', 1)
        self.assertEqual(g.run("hammer").returncode, 0)
        self.until(prometheus, "graced_hammered_workers_total", 1)

        for expression, expected in {
                'graced_reloads_total{outcome="ok"}': good, 'graced_reloads_total{outcome="failed"}': bad,
                'graced_reload_failures_total{reason="start"}': bad, "sum(graced_reload_failures_total)": bad,
                'graced_reload_duration_seconds_count{stage="total"}': good, 'graced_reload_duration_seconds_count{stage="check"}': good,
                "graced_worker_crashes_total": 1, "graced_rollbacks_total": 0, "graced_history_gaps_total": 0,
                "graced_last_reload_failed": 0}.items():
            self.until(prometheus, expression, expected)

        empty = []
        for title, expression in self.panels():
            found = prometheus.query(expression)
            if not [number for _, number in found if not math.isnan(number)]:
                empty.append("%s: %s gives %s" % (title, expression, found))
        self.assertEqual(empty, [])

        # No scrape failed, and no reload left a gap.
        self.assertEqual(prometheus.value('min_over_time(up{job="graced"}[1h])'), 1)
        self.assertEqual(prometheus.value("min_over_time(graced_up[1h])"), 1)
        self.assertEqual(prometheus.query('ALERTS{alertstate="firing"}'), [])
        rules = json.load(urllib.request.urlopen("http://127.0.0.1:%d/api/v1/rules" % prometheus.port))["data"]["groups"][0]["rules"]
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})


if __name__ == "__main__":
    main()
