"""Every word that graced events knows, told by a graced to which it has happened, each line as the schema has it."""
import os, signal

from events_test import LONG, Followed
from harness import main, wait_until
from schema import definitions

SICK = """#!/bin/sh
# The first generation, or those that are to replace it.
[ ! -e "{0}/sick.$GRACED_GENERATION" ] && {{ [ "$GRACED_GENERATION" = 1 ] || [ ! -e "{0}/sick.others" ]; }}
"""


class Kinds(Followed):
    def kill(self, g, count):
        """So many of its workers at once, as it sees it."""
        pids = wait_until(lambda: (ready := [w["pid"] for w in g.workers("ready")])[count - 1:] and ready, g.said)[:count]
        g.signal(signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        g.signal(signal.SIGCONT)

    def reloads_and_crashes(self):
        g = self.switchable("-w", "2", "--check", "true", "--probe", "exec:true,timeout=60s", "--restart-delay", "1ms", "--start-limit",
                            "1000/60s", "--drain-timeout", LONG, "--env", "LEAVE_FILE=" + self.path("leave"))
        follower = self.following(g)
        self.become("exit=3")
        self.assertEqual(g.reload().returncode, 1)
        self.become("ready", "serve-late")
        self.assertEqual(g.reload().returncode, 0, g.said())
        for word in "preparing", "checking", "starting", "ready", "probing", "reload-failed", "reloaded", "draining", "gone":
            follower.first(word)
        self.kill(g, 1)
        for word in "crashed", "degraded", "recovered":
            follower.first(word)
        self.kill(g, 2)
        for word in "down", "serving":
            follower.first(word)
        wait_until(lambda: g.status()["phase"] == "serving", g.said)
        self.become("ready", "serve")
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(g.run("hammer").returncode, 0)
        self.assertEqual(follower.first("hammered")["killed"], 2)
        self.assertEqual(g.end(), 0)
        follower.first("stopping")
        follower.first("instance-gone")
        return follower

    def proofs(self):
        g = self.serving("--canary", "50%/1ms", "--probation", LONG, name="canary")
        follower = self.following(g)
        self.assertEqual(g.reload().returncode, 0, g.said())
        self.assertEqual(follower.first("canary")["share"], 0.5)
        self.assertEqual(g.run("rollback").returncode, 0)
        follower.first("rolled-back")
        return follower

    def a_probation(self):
        g = self.serving("--probation", "1ms", name="proven")
        follower = self.following(g)
        self.assertEqual(g.reload().returncode, 0, g.said())
        follower.first("promoted")
        return follower

    def replacements(self):
        probe = self.write("probe", SICK.format(self.directory), 0o755)
        g = self.serving("--probe", "exec:%s,while-serving=50ms,interval=50ms,timeout=60s,fails=1" % probe, name="watched")
        follower = self.following(g)
        self.write("sick.others", "")
        self.write("sick.1", "")
        follower.first("replacement-failed")
        os.unlink(self.path("sick.others"))
        follower.first("replaced")
        return follower

    def the_end(self):
        g = self.serving("--restart-delay", "0", "--start-limit", "1/1h", name="end")
        follower = self.following(g)
        self.kill(g, 1)
        follower.first("serving")  # again, once
        self.kill(g, 1)
        follower.first("gave-up")
        return follower

    def test_every_word_is_told_and_each_line_is_as_the_schema_has_it(self):
        told = set()
        for story in self.reloads_and_crashes, self.proofs, self.a_probation, self.replacements, self.the_end:
            told.update(story().words())
        # The first is for who does not read: events_test has it. The other needs a server that runs already: takeover_test.
        # Those of graced itself are in upgrade_command_test.
        elsewhere = {"events-missed", "taken", "upgraded", "upgrade-failed"}
        self.assertEqual(told, set(definitions()["event"]["properties"]["event"]["enum"]) - elsewhere)


if __name__ == "__main__":
    main()
