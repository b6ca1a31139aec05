"""graced is upgraded in the middle of what it does: it goes on with that, to the same end and at the same time."""
import os, re, signal, time
import own_network
from harness import GRACED, HERE, PATIENCE, alive, ask, for_everybody, main, wait_until
from own_network import free_port
from takeover_test import TakeoverCase
from upgrading import NEXT, UpgradeCase, bad_image

STREAMER = for_everybody(os.path.join(HERE, "streamer.py"))


def setUpModule():
    own_network.enter()


class Meanwhile(UpgradeCase):
    def both_ways(self, g):
        """To another version, and there by way of one that fails and comes back."""
        answer = self.upgrade(g, bad_image(self.path("bad"), "aborts-after"))
        self.assertEqual(answer.returncode, 1, answer.stdout + g.said())
        self.assert_image(g, GRACED)
        self.upgraded(g, NEXT)

    def pids(self, g, state):
        return sorted(w["pid"] for w in g.workers(state))

    def kept(self, g):
        """As it was, the deadlines too, after an upgrade that fails and one that does not."""
        before, deadlines = self.came_to_rest(g), self.deadlines(g)
        self.both_ways(g)
        self.assert_as_before(g, before)
        self.assert_deadlines_kept(deadlines, self.deadlines(g))


class Rollouts(Meanwhile):
    def test_on_probation_and_the_one_before_serves_again(self):
        g = self.serving("--probation", "1h", "--workers", "2")
        good = self.pids(g, "ready")
        self.assertEqual(g.reload().returncode, 0, g.said())
        began = time.monotonic()
        left = g.status()["probation_s"]
        self.kept(g)
        now = g.status()["probation_s"]
        self.assertLessEqual(now, left)
        self.assertGreater(now, left - (time.monotonic() - began) - 0.05)
        os.kill(self.pids(g, "ready")[0], signal.SIGKILL)
        wait_until(lambda: self.pids(g, "ready") == good, g.said)
        self.assertEqual((g.status()["serving"], g.status()["rollbacks"]), (1, 1))

    def test_on_probation_and_it_is_rolled_back_by_hand(self):
        g = self.serving("--probation", "1h")
        self.assertEqual(g.reload().returncode, 0, g.said())
        settled = self.reloading(g, "--settled")
        wait_until(lambda: g.status()["serving"] == 3, g.said)
        self.kept(g)
        self.assertEqual(g.run("rollback").returncode, 0, g.said())
        _, why = settled.communicate(timeout=PATIENCE)
        self.assertEqual(settled.returncode, 1, why)
        self.assertIn("rolled back", why)

    def test_a_canary_goes_on_and_whoever_waits_for_it_is_told(self):
        g = self.serving("--canary", "50%/1h")
        asker = self.reloading(g)
        wait_until(lambda: g.status()["canary"], g.said)
        self.kept(g)
        answers = {ask(g.address()).split()[3] for _ in range(60)}
        self.assertEqual(answers, {"1", "2"})
        self.assertEqual(g.run("abort").returncode, 0, g.said())
        _, why = asker.communicate(timeout=PATIENCE)
        self.assertEqual(asker.returncode, 1, why)
        self.assertIn("with 50% of new connections: aborted by ", why)

    def test_a_step_of_a_canary_ends_in_its_time(self):
        g = self.serving("--canary", "20%/4s")
        asker = self.reloading(g)
        wait_until(lambda: g.status()["canary"], g.said)
        self.both_ways(g)
        out, why = asker.communicate(timeout=PATIENCE)
        self.assertEqual((asker.returncode, out), (0, "t: generation 2 serves\n"), why)
        self.soon("generation 2 ", g.ask)

    def test_it_waits_for_a_candidate_that_starts(self):
        g = self.switchable()
        self.become("sleep=1000")
        reload = self.reloading(g)
        wait_until(lambda: g.status()["candidate"], g.said)
        upgrade = self.upgrading(g)
        wait_until(lambda: "upgrade" in g.run("status").stdout, lambda: g.run("status").stdout + g.said())
        self.assertIsNone(upgrade.poll())
        self.assert_image(g, GRACED)
        self.assertEqual(g.run("abort").returncode, 0)
        reload.communicate(timeout=PATIENCE)
        self.done(upgrade)
        self.assert_image(g, NEXT)
        self.assertEqual(g.status()["serving"], 1)

    def test_a_second_one_is_refused_while_the_first_waits(self):
        g = self.switchable()
        self.become("sleep=1000")
        self.reloading(g)
        wait_until(lambda: g.status()["candidate"], g.said)
        first = self.upgrading(g)
        wait_until(lambda: "upgrade" in g.run("status").stdout, lambda: g.run("status").stdout)
        second = self.upgrade(g)
        self.assertEqual(second.returncode, 1, second.stdout)
        self.assertIn("another upgrade is under way", second.stderr)
        g.run("abort")
        self.done(first)

    def test_graced_that_stops_refuses(self):
        g = self.serving(habits=("ready", "serve-late"), env={"LEAVE_FILE": self.path("leave")})
        g.signal(signal.SIGTERM)
        wait_until(lambda: g.status()["phase"] == "stopping", g.said)
        answer = self.upgrade(g)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("stop", answer.stderr)
        self.write("leave", "")
        self.assertEqual(g.process.wait(PATIENCE), 0)


class Workers(Meanwhile):
    def draining(self, limit):
        """A generation drains that never ends by itself: the PID of its worker."""
        g = self.serving("--drain-timeout", limit, habits=("ready", "deaf", "serve"))
        old = self.pids(g, "ready")[0]
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: self.deadlines(g), g.said)
        return g, old

    def test_a_generation_that_drains_has_the_time_that_it_had(self):
        g, _ = self.draining("1h")
        self.kept(g)

    def test_a_generation_that_drains_is_killed_when_its_time_is_over(self):
        g, old = self.draining("6s")
        earliest, _ = self.deadlines(g).get(old, (0, 0))
        self.both_ways(g)
        wait_until(lambda: not alive(old), g.said)
        self.assertGreater(time.monotonic(), earliest - 0.05)
        wait_until(lambda: "SIGKILL" in g.said(), g.said)

    def test_a_restart_that_is_waited_for_comes_when_it_would_have(self):
        g = self.serving("--restart-delay", "1h", "--workers", "2")
        os.kill(self.pids(g, "ready")[0], signal.SIGKILL)
        wait_until(lambda: g.status()["next_restart_s"], g.said)
        began, first = time.monotonic(), g.status()["next_restart_s"]
        self.kept(g)
        now = g.status()["next_restart_s"]
        self.assertLessEqual(now, first)
        self.assertGreater(now, first - (time.monotonic() - began) - 0.05)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(len(self.pids(g, "ready")), 2)

    def test_what_workers_have_said_is_known_and_half_a_line_is_finished(self):
        script = self.write("app", '''#!/bin/sh
echo "one line" >&2
printf "half a " >&2
: >"$DIRECTORY/said"
while ! test -e "$DIRECTORY/go"; do sleep 0.02; done
echo "line" >&2
: >"$DIRECTORY/done"
exec sleep 1000
''', 0o755)
        g = self.graced("--output", "prefix", "--ready", "after:10ms", options=(), command=(script,), env={"DIRECTORY": self.directory})
        wait_until(lambda: os.path.exists(self.path("said")))
        wait_until(lambda: "one line" in g.run("logs").stdout, g.said)
        before = g.run("logs").stdout
        self.both_ways(g)
        # Where an upgrade takes long, the half is told after a while, and then the rest of it.
        self.assertEqual(g.run("logs").stdout[:len(before)], before)
        self.write("go", "")
        whole = re.compile(r"(?s)half a (line|\n.*?: \.\.\.line)\n")
        wait_until(lambda: whole.search(g.run("logs").stdout), lambda: g.run("logs").stdout)
        self.assertEqual(len(whole.findall(g.said())), 1, g.said())
        self.assertEqual(g.said().count("one line"), 1, g.said())

    def test_what_a_worker_was_told_and_has_said_stays(self):
        g = self.serving(habits=("ready", "status=half-way", "serve"))
        wait_until(lambda: g.workers()[0]["status"] == "half-way", g.said)
        self.kept(g)
        self.assertEqual(g.workers()[0]["status"], "half-way")

    def test_the_manager_hears_nothing_of_it(self):
        g = self.serving()
        g.manager.pending().clear()
        self.both_ways(g)
        self.assertEqual([m for m in g.manager.pending() if "READY=1" in m or "RELOADING" in m or "STOPPING" in m], [])

    def test_a_path_that_vanishes_comes_back_afterwards(self):
        path = self.path("own.sock")
        g = self.serving("-l", "unix:" + path, options=())
        before = os.stat(path).st_ino
        self.both_ways(g)
        os.unlink(path)
        wait_until(lambda: os.path.exists(path), g.said)
        self.assertEqual(os.stat(path).st_ino, before)
        self.assertIn("generation 1 ", ask(path))

    def test_a_conversation_with_an_old_generation_is_finished(self):
        port = free_port()
        g = self.graced(options=(), command=(STREAMER, str(port), self.directory))
        talk = TakeoverCase.talk(self, ("127.0.0.1", port))
        talk.socket.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: os.path.exists(self.path("begun.1")))
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.kept(g)
        self.assertEqual(len(self.pids(g, "draining")), 1)
        self.write("go", "")
        self.assertIn("generation 1", talk.answer())
        talk.close()
        wait_until(lambda: len(g.workers()) == 1, g.said)
        self.assertNotIn("SIGKILL", g.said())


class Taken(TakeoverCase, Meanwhile):
    def test_a_server_that_was_taken_over_leaves_as_it_would_have(self):
        port = free_port()
        old = self.by_hand("tcp:%d" % port)
        talk = self.talk(("127.0.0.1", port))
        self.assertIn("generation 0", talk.said())
        g = self.adopted("tcp:%d" % port, options=("--take", str(old.pid), "--drain-timeout", "1h"))
        self.assertIn("generation 1", ask(("127.0.0.1", port)))
        # Once it is known to be idle, which it becomes by itself.
        wait_until(lambda: any("(1 idle)" in w["waits_for"] for w in g.workers() if w["generation"] == 0), g.said)
        self.kept(g)
        self.assertIsNone(old.poll())
        self.assertIn("generation 0", talk.said())
        talk.close()
        self.is_gone(old, g)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertIn("generation 2", ask(("127.0.0.1", port)))


if __name__ == "__main__":
    main()
