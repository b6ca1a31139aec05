"""A service in trouble, as whoever is woken by it finds it: who serves, and what became of those who did."""
import json, os, resource, signal, socket, subprocess, unittest

from harness import GRACED, PATIENCE, WORKER, Case, become_nobody, descriptors, main, wait_until

# So that a restart is neither missed nor waited for, however slow the machine is.
LONG = "100h"


class Trouble(Case):
    def crash(self, g, worker=0):
        """Its serving worker of this number is killed; its PID."""
        pid = wait_until(lambda: [w for w in g.workers("ready") if w["worker"] == worker], g.said)[0]["pid"]
        os.kill(pid, signal.SIGSEGV)
        return pid

    def in_phase(self, g, phase):
        def status():
            status = g.status()
            return status if status["phase"] == phase else None
        return wait_until(status, lambda: "not %s: %s\n%s" % (phase, g.status(), g.said()))

    def test_status_does_not_say_serving_while_nobody_serves(self):
        g = self.serving("--restart-delay", LONG)
        self.assertEqual(g.status()["phase"], "serving")
        self.crash(g)
        status = self.in_phase(g, "down")
        self.assertEqual(status["serving"], 1)
        self.assertEqual(status["workers_asked"], 1)
        self.assertEqual(status["workers"], [])
        self.assertGreater(status["next_restart_s"], 99 * 3600)

        text = g.run("status").stdout
        self.assertTrue(text.startswith("t  down: no worker of generation 1 serves\n"), text)
        self.assertRegex(text, r"\n  last exit    worker 0 of generation 1 killed by SIGSEGV( \(core dumped\))? after \S+, \S+ ago\n")
        self.assertRegex(text, r"\n  next restart in (99h|4d)")
        alive = g.run("status", "--alive")
        self.assertEqual((alive.returncode, alive.stdout), (0, "t: alive, down\n"))
        ready = g.run("status", "--ready")
        self.assertEqual((ready.returncode, ready.stdout), (1, ""))
        self.assertIn("no worker of generation 1 is ready, worker 0 killed by SIGSEGV", ready.stderr)

    def test_a_worker_that_crashes_in_a_loop_tells_how_the_last_time_and_what_it_said(self):
        os.mkfifo(self.path("go"))  # each life lasts until somebody has looked
        script = self.write("app", '#!/bin/sh\n"%s" ready-and-barrier\nread word <"%s"\necho "panic: $word" >&2\nexit 3\n'
                            % (WORKER, self.path("go")), 0o755)
        g = self.graced("--ready", "notify", "--restart-delay", "1ms", "--start-limit", "1000/60s", command=(script,))
        for word in ("one", "two", "three"):
            restarts = self.in_phase(g, "serving")["restarts"]
            with open(self.path("go"), "w") as go:
                go.write(word + "\n")
            wait_until(lambda: g.status()["restarts"] > restarts, g.said)
        status = self.in_phase(g, "serving")
        last = status["last_exit"]
        self.assertEqual((last["generation"], last["worker"], last["status"], last["signal"]), (1, 0, 3, None))
        self.assertRegex(last["how"], r"^exited with status 3 after \S+")
        self.assertEqual(last["last_lines"], ["panic: three"])
        self.assertNotEqual(last["pid"], status["workers"][0]["pid"])
        self.assertGreaterEqual(last["age_s"], 0)
        self.assertGreater(last["lived_s"], 0)
        self.assertIn("               | panic: three\n", g.run("status").stdout)
        self.assertIn("is started again in 1ms", g.said())

    def test_when_a_worker_is_started_again_is_in_the_log(self):
        g = self.serving("--restart-delay", "10min")
        self.crash(g)
        self.in_phase(g, "down")
        wait_until(lambda: "generation 1, worker 0: is started again in 10min" in g.said(), g.said)

    def test_of_two_workers_one_crashes_and_the_other_serves(self):
        g = self.serving("-w", "2", "--restart-delay", LONG)
        self.crash(g, worker=1)
        status = self.in_phase(g, "degraded")
        self.assertEqual((status["workers_asked"], len(status["workers"])), (2, 1))
        self.assertEqual(status["last_exit"]["worker"], 1)
        self.assertEqual(status["last_exit"]["signal"], "SIGSEGV")
        self.assertIsNone(status["last_exit"]["status"])
        self.assertIn("generation 1 ", g.ask())
        self.assertTrue(g.run("status").stdout.startswith("t  degraded: generation 1 serves with 1 of 2 workers\n"))
        ready = g.run("status", "--ready")
        self.assertEqual((ready.returncode, ready.stdout), (0, "t: ready, degraded: generation 1 serves with 1 of 2 workers\n"))
        self.assertEqual(g.run("status", "--alive").stdout, "t: alive, degraded\n")
        g.wait("STATUS=degraded: generation 1 serves with 1 of 2 workers, worker 1 killed by SIGSEGV")

        self.crash(g, worker=0)
        self.in_phase(g, "down")
        g.wait("STATUS=down: no worker of generation 1 serves, worker 0 killed by SIGSEGV")
        self.assertEqual([m for m in g.manager.heard if "STOPPING=1" in m or "RELOADING=1" in m], [])

    def test_a_reload_that_went_well_does_not_hide_that_its_workers_crash(self):
        g = self.serving("--restart-delay", LONG)
        self.assertEqual(g.reload().returncode, 0)
        self.crash(g)
        status = self.in_phase(g, "down")
        self.assertTrue(status["last_reload"]["ok"])
        self.assertEqual(status["last_exit"]["generation"], status["last_reload"]["generation"])

    def test_the_next_good_reload_ends_the_trouble_and_forgets_the_exit(self):
        g = self.switchable("--restart-delay", LONG)
        self.crash(g)
        self.in_phase(g, "down")
        self.become("exit=9")
        r = g.reload()
        self.assertEqual(r.returncode, 1)
        self.assertIn("no worker of generation 1 serves", r.stderr)
        self.assertNotIn("still serves", r.stderr + g.said())
        self.assertEqual(g.status()["last_exit"]["signal"], "SIGSEGV")  # and not the candidate's

        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0)
        status = self.in_phase(g, "serving")
        self.assertIsNone(status["last_exit"])
        self.assertNotIn("last exit", g.run("status").stdout)
        self.assertIn("generation 3 ", g.ask())

    def test_a_reload_of_a_service_that_is_down_is_told_to_the_manager_as_any_other(self):
        g = self.serving("--restart-delay", LONG)
        self.crash(g)
        self.in_phase(g, "down")
        self.assertEqual(g.reload().returncode, 0)
        g.wait("RELOADING=1")
        g.wait("READY=1")

    def test_the_last_exit_stays_when_the_replacement_serves(self):
        g = self.serving("--restart-delay", "1ms")
        pid = self.crash(g)
        wait_until(lambda: [w for w in g.workers("ready") if w["pid"] != pid], g.said)
        status = self.in_phase(g, "serving")
        self.assertEqual(status["last_exit"]["pid"], pid)

    def test_a_replacement_that_cannot_be_started_says_why(self):
        os.symlink("/bin/sh", self.path("shell"))
        script = self.write("app", '#!%s\nexec "%s" ready serve\n' % (self.path("shell"), WORKER), 0o755)
        g = self.graced("--restart-delay", "1ms", "--start-limit", "1000/60s", command=(script,))
        os.unlink(self.path("shell"))
        self.crash(g)
        last = wait_until(lambda: (lambda e: e and "exec" in e["how"] and e)(g.status()["last_exit"]), g.said)
        self.assertIsNone(last["pid"])
        self.assertEqual(last["status"], 127)
        self.assertEqual(self.in_phase(g, "down")["workers"], [])
        self.assertRegex(g.said(), r"worker 0: could not be started: exec [^\n]*app: No such file or directory")

    def test_list_shows_who_is_down_and_who_lacks_a_worker(self):
        running = {}
        for name, workers in (("well", 1), ("ill", 2), ("gone", 1)):
            g = running[name] = self.serving("--restart-delay", LONG, "-w", str(workers), name=name)
            os.makedirs(self.path("run/graced/" + name))
            os.symlink(g.control, self.path("run/graced/%s/control" % name))
        self.crash(running["ill"])
        self.crash(running["gone"])
        phases = {"well": "serving", "ill": "degraded", "gone": "down"}
        for name, phase in phases.items():
            self.in_phase(running[name], phase)
        # Others may run on this machine.
        pids = {g.pid for g in running.values()}
        environment = {"XDG_RUNTIME_DIR": self.path("run"), "RUNTIME_DIRECTORY": ""}
        listed = json.loads(self.run_graced("list", "--json", env=environment).stdout)
        self.assertEqual({i["name"]: i["phase"] for i in listed if i["pid"] in pids}, phases)
        lines = [line.split() for line in self.run_graced("list", env=environment).stdout.splitlines()]
        self.assertEqual({line[0]: line[1] for line in lines if pids & {int(word) for word in line if word.isdigit()}}, phases)

    def test_a_graced_that_has_no_descriptors_left_still_says_how_it_is_and_why_it_cannot_reload(self):
        g = self.serving()
        limit = resource.prlimit(g.pid, resource.RLIMIT_NOFILE)
        before = descriptors(g.pid)
        for more in range(-3, 6):
            resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (len(before) + more, limit[1]))
            self.assertEqual(g.status()["serving"], 1)
            failed = g.reload()
            self.assertEqual(failed.returncode, 1, failed.stderr)
            self.assertIn("Too many open files", failed.stderr)
        resource.prlimit(g.pid, resource.RLIMIT_NOFILE, limit)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.status()["serving"], int(g.workers("ready")[0]["generation"]))

    def test_who_waits_for_a_reload_keeps_nobody_from_looking_where_descriptors_are_few(self):
        g = self.serving("--check", "sleep 1000")
        limit = resource.prlimit(g.pid, resource.RLIMIT_NOFILE)
        reload = self.reloading(g)
        wait_until(lambda: g.status()["check"], g.said)
        resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (len(descriptors(g.pid)), limit[1]))
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        self.addCleanup(lambda: [s.close() for s in crowd])
        for s in crowd:  # more than there is room for: the others are hung up on
            s.connect(g.control)
        turned_away = g.run("status")
        if turned_away.returncode != 0:
            self.assertEqual((turned_away.returncode, "as many descriptors as it may have" in turned_away.stderr), (4, True),
                             turned_away.stderr)
        for s in crowd:
            s.close()
        wait_until(lambda: g.run("status").returncode == 0, g.said)
        self.assertEqual(g.run("abort").returncode, 0)
        self.assertEqual(reload.wait(PATIENCE), 1)


@unittest.skipUnless(os.geteuid() == 0, "becoming somebody else takes root")
class OtherUsers(Case):
    def test_another_user_sees_how_it_ended_and_not_what_it_said(self):
        os.chmod(self.directory, 0o755)
        g = self.switchable("--restart-delay", LONG, habits=("say=password_hunter2", "ready", "serve"))
        os.kill(g.workers()[0]["pid"], signal.SIGSEGV)
        wait_until(lambda: g.status()["phase"] == "down", g.said)
        self.assertEqual(g.status()["last_exit"]["last_lines"], ["password_hunter2"])
        for words in (["status", "--json"], ["status"]):
            r = subprocess.run([GRACED, *words, "--control", g.control], preexec_fn=become_nobody, capture_output=True, text=True,
                               timeout=PATIENCE, cwd="/")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertIn("killed by SIGSEGV", r.stdout)
            self.assertIn("down", r.stdout)
            self.assertNotIn("hunter2", r.stdout)


class Connections(Case):
    def test_a_serving_worker_with_open_connections_does_not_count_none(self):
        g = self.serving()
        held = [socket.create_connection(g.address()) for _ in range(3)]
        for s in held:
            self.addCleanup(s.close)
        worker = g.workers()[0]
        self.assertIsNone(worker["connections"])  # graced does not count those of one that serves
        self.assertIsNone(worker["queued"])


if __name__ == "__main__":
    main()
