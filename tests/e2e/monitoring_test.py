"""packaging/monitoring with a real Prometheus that scrapes real instances under reloads: every panel of the dashboard has
data, counters agree with what was done, and the alerts are what their stories say."""
import json, math, os, shutil, signal, socket, subprocess, sys, time, unittest, urllib.parse, urllib.request

from exported import ExportedCase
from harness import PATIENCE, main, wait_until

# Seconds of reloads, failures, rollbacks and crashes that are scraped; each of them happens at least once.
SCRAPED = float(os.environ.get("GRACED_SCRAPE_SECONDS", "20"))
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
            stories = [story for each in yaml.safe_load(f)["tests"] for story in each.get("alert_rule_test", [])]
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

    def ask(self, what, member, **parameters):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self.port, what, urllib.parse.urlencode(parameters))
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"][member]
        except OSError:
            return []  # it does not listen yet

    def alerts(self):
        return self.ask("alerts", "alerts")

    def query(self, expression):
        """[(labels, number)]"""
        return [(r["metric"], float(r["value"][1])) for r in self.ask("query", "result", query=expression)]

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

    def promtool_finds_nothing(self, exporter):
        if shutil.which("promtool"):
            r = subprocess.run(["promtool", "check", "metrics"], input=exporter.ask("/metrics")[2], capture_output=True, text=True,
                               timeout=PATIENCE)
            self.assertEqual((r.returncode, r.stdout + r.stderr), (0, ""))

    def reloads(self, g, *habits, code=0):
        self.become(*habits)
        r = g.reload()
        self.assertEqual(r.returncode, code, r.stdout + r.stderr + g.said())

    def crash(self, g):
        os.kill(g.workers("ready")[0]["pid"], signal.SIGKILL)

    def a_round_of_reloads(self, g, done):
        """A good one, one of each kind of failure, a crash, and one whose old generation has to be killed."""
        self.reloads(g, "ready", "serve")
        self.reloads(g, "exit=3", code=1)
        self.write("check", "#!/bin/sh\nexit 1\n", 0o755)
        self.assertEqual(g.reload().returncode, 1)
        self.write("check", "#!/bin/sh\nexit 0\n", 0o755)
        self.reloads(g, "ready", "serve-late")
        self.crash(g)
        wait_until(lambda: (s := g.status())["restarts"] == done["crashes"] + 1 and s["phase"] == "serving", g.said)
        self.reloads(g, "ready", "serve")
        wait_until(lambda: g.workers("draining"), g.said)
        killed = len(g.workers("draining"))
        self.assertEqual(g.run("hammer").returncode, 0)
        wait_until(lambda: not [w for w in g.workers() if w["state"] != "ready"], g.said)
        for what, times in dict(good=3, start=1, check=1, crashes=1, killed=killed).items():
            done[what] = done.get(what, 0) + times

    def a_round_of_rollbacks(self, g, done):
        """By hand, and by a crash on probation."""
        for bad in lambda: self.assertEqual(g.run("rollback").returncode, 0), lambda: self.crash(g):
            self.reloads(g, "ready", "serve")
            bad()
            wait_until(lambda: (s := g.status())["rollbacks"] == done["rollbacks"] + 1 and s["phase"] == "serving", g.said)
            done["good"] += 1
            done["rollbacks"] += 1

    def assert_no_gap(self, prometheus, name):
        """Whatever happened to it: each scrape that Prometheus has done has told of it."""
        scrapes = "count_over_time(up[1h] @ %.3f)" % (at := time.time())
        self.assertGreater(prometheus.value(scrapes), SCRAPED / 2)
        for metric in ("graced_up", 'graced_phase{phase="serving"}', 'graced_reloads_total{outcome="ok"}', "graced_rollbacks_total",
                       'graced_workers{state="ready"}', "graced_serving_generation", 'graced_reload_failures_total{reason="start"}',
                       'graced_reload_duration_seconds_count{stage="total"}'):
            metric, _, labels = metric.partition("{")
            metric = '%s{name="%s"%s' % (metric, name, "," + labels if labels else "}")
            self.assertEqual(prometheus.value("count_over_time(%s[1h] @ %.3f)" % (metric, at)), prometheus.value(scrapes), metric)

    def test_every_panel_has_data_and_counters_agree_with_what_was_done(self):
        self.write("check", "#!/bin/sh\nexit 0\n", 0o755)
        g = self.switchable("-w", "2", "--restart-delay", "0", "--start-limit", "1000/60s", "--check", self.path("check"),
                            "--drain-timeout", "10min", "--env", "LEAVE_FILE=" + self.path("leave"))
        tried = self.switchable("--probation", "1h", "--restart-delay", "0", name="tried")
        e = self.exporter(g, tried)
        prometheus = Prometheus(self.directory, e.address[1])
        self.addCleanup(prometheus.close)
        self.until(prometheus, "sum(graced_up)", 2)

        done = dict.fromkeys(("good", "start", "check", "crashes", "killed"), 0)
        tries = dict.fromkeys(("good", "rollbacks"), 0)
        end = time.monotonic() + SCRAPED
        rounds = 0
        while rounds == 0 or time.monotonic() < end:
            self.a_round_of_reloads(g, done)
            self.a_round_of_rollbacks(tried, tries)
            self.promtool_finds_nothing(e)
            rounds += 1
            # A history has room for 64 entries: what a round leaves there is counted before the next one.
            self.until(prometheus, 'graced_reloads_total{name="t",outcome="ok"}', done["good"])
            self.until(prometheus, "graced_rollbacks_total{name=\"tried\"}", tries["rollbacks"])

        for name, expected in {
                "t": {'graced_reloads_total{%s,outcome="ok"}': done["good"],
                      'graced_reloads_total{%s,outcome="failed"}': done["start"] + done["check"],
                      'graced_reload_failures_total{%s,reason="start"}': done["start"],
                      'graced_reload_failures_total{%s,reason="check"}': done["check"],
                      "sum(graced_reload_failures_total{%s})": done["start"] + done["check"],
                      'graced_reload_duration_seconds_count{%s,stage="total"}': done["good"],
                      'graced_reload_duration_seconds_count{%s,stage="check"}': done["good"],
                      "graced_worker_crashes_total{%s}": done["crashes"], "graced_worker_restarts_total{%s}": done["crashes"],
                      "graced_hammered_workers_total{%s}": done["killed"], "graced_rollbacks_total{%s}": 0,
                      "graced_last_reload_failed{%s}": 0},
                "tried": {'graced_reloads_total{%s,outcome="ok"}': tries["good"], "graced_rollbacks_total{%s}": tries["rollbacks"],
                          "graced_worker_restarts_total{%s}": 0, "graced_last_reload_failed{%s}": 1}}.items():
            for expression, number in expected.items():
                self.until(prometheus, expression.replace("%s", 'name="%s"' % name), number)
            for metric in "graced_reloads_total", "graced_reload_failures_total", "graced_rollbacks_total", "graced_worker_crashes_total":
                self.assertEqual(prometheus.value('sum(resets(%s{name="%s"}[1h]))' % (metric, name)), 0, metric)
            self.assertEqual(prometheus.value('graced_history_gaps_total{name="%s"}' % name), 0)
            self.assert_no_gap(prometheus, name)

        empty = []
        for title, expression in self.panels():
            found = prometheus.query(expression)
            if not [number for _, number in found if not math.isnan(number)]:
                empty.append("%s: %s gives %s" % (title, expression, found))
        self.assertEqual(empty, [])

        # No scrape failed, and no alert is raised but for what was done.
        self.assertEqual(prometheus.value('min_over_time(up{job="graced"}[1h])'), 1)
        self.assertEqual(prometheus.value("min(min_over_time(graced_up[1h]))"), 1)
        raised = {(labels["alertname"], labels.get("name")) for labels, _ in prometheus.query('ALERTS{alertstate="firing"}')}
        self.assertIn(("GracedRolledBack", "tried"), raised)
        self.assertLessEqual(raised, {("GracedRolledBack", "tried"), ("GracedCrashLoop", "t"), ("GracedCrashLoop", "tried")})
        rules = json.load(urllib.request.urlopen("http://127.0.0.1:%d/api/v1/rules" % prometheus.port))["data"]["groups"][0]["rules"]
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})
        slowest = prometheus.value("max_over_time(scrape_duration_seconds[1h])")
        sys.stderr.write("%d rounds in %.0f s: %s; on probation %s; %d scrapes, the slowest took %.3f s\n" % (
            rounds, time.monotonic() - end + SCRAPED, done, tries, prometheus.value("count_over_time(up[1h])"), slowest))


if __name__ == "__main__":
    main()
