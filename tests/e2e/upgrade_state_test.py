"""What one image hands to the next is what that one hands on: the state, which is taken from an image that hangs on trial,
is the same before and after an upgrade, but for what time and the upgrade itself change."""
import json, os, re, signal, socket

import own_network
from harness import HERE, PATIENCE, ask, for_everybody, main, wait_until
from own_network import free_port
from upgrading import NEXT, UpgradeCase, bad_image

BINDER = for_everybody(os.path.join(HERE, "binder.py"))

# Who asked last and how often, what came of it, how long a connection is quiet, and how far what was written has been passed on.
PASSES = re.compile(r"^(upgrading|control\.last-request|readers\.(history|events\.asker)|written-by|.*\.quiet"
                    r"|outputs\.(err|out)\.(passed-on|streams.*\.(waited|lines\.passed-on))|planner\.invocation\.environment)\b")


def differences(before, after, place=""):
    if PASSES.match(place):
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        pairs = [(key, before.get(key), after.get(key)) for key in keys]
        return [d for key, b, a in pairs for d in differences(b, a, (place + "." if place else "") + key)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [d for i, (b, a) in enumerate(zip(before, after)) for d in differences(b, a, "%s[%d]" % (place, i))]
    return [] if before == after else ["%s: %s, then %s" % (place, str(before)[:200], str(after)[:200])]


def setUpModule():
    own_network.enter()


class State(UpgradeCase):
    def state_of(self, g):
        """As an image on trial is handed it, which never answers and is killed for it."""
        image = bad_image(self.path("hangs"), "hangs")
        asker = self.upgrading(g, image, "--check")

        def on_trial():
            with open("/proc/%d/task/%d/children" % (g.pid, g.pid)) as f:
                children = f.read().split()
            for child in children:
                try:
                    with open("/proc/%s/environ" % child, "rb") as f:
                        call = re.search(rb"\0GRACED_UPGRADE=trial [^\0]*\bstate=(\d+)", b"\0" + f.read())
                    if call and os.path.samefile("/proc/%s/exe" % child, image):
                        return int(child), call[1].decode()
                except OSError:
                    pass  # it has ended
            return None

        child, number = wait_until(on_trial, g.said)
        with open("/proc/%d/fd/%s" % (child, number)) as f:
            state = json.load(f)
        os.kill(child, signal.SIGKILL)
        self.done(asker, 1)
        return state

    def assert_handed_on(self, g, times=3):
        self.came_to_rest(g)
        before = self.state_of(g)
        for _ in range(times):
            self.upgraded(g, NEXT)
            after = self.state_of(g)
            self.assertEqual(differences(before, after), [])
        return after

    def test_of_listened_addresses_with_a_file_of_options(self):
        self.write("t.env", "COLOUR=blue\n")
        self.write("t.conf", "env-file = t.env\nworkers = 2\non = reload-failed=/bin/true\nlog-level = debug\n")
        g = self.serving("--config", self.path("t.conf"), "--pid-file", self.path("pid"), "-l", "udp:127.0.0.1:0", "-l",
                         "unix:" + self.path("listened.sock"))
        self.write("t.env", "COLOUR=red\n")
        self.write("t.conf", "env-file = t.env\nworkers = 3\n")
        self.assertEqual(g.reload().returncode, 0, g.said())
        wait_until(lambda: len(g.workers()) == 3, g.said)
        os.remove(self.path("t.env"))  # what was read is handed on
        state = self.assert_handed_on(g)
        self.assertIn("COLOUR=red", state["addresses"]["plans"][0][1]["environment"])
        self.assertEqual(len(state["workers"]), 3)

    def test_of_an_adopted_address_while_a_generation_drains(self):
        port = free_port()
        g = self.graced("--drain-idle", "infinity", "--drain-timeout", "1h", options=(), command=(BINDER, "tcp:%d" % port, "ready"))
        held = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(held.close)
        held.sendall(b"GET /")  # and not the rest
        self.assertEqual(g.reload().returncode, 0, g.said())
        ask(("127.0.0.1", port))
        state = self.assert_handed_on(g)
        self.assertEqual(len(state["addresses"]["handoff"]["tracked"]), 2)

    def test_on_probation(self):
        g = self.serving("--probation", "1h")
        self.assertEqual(g.reload().returncode, 0, g.said())
        state = self.assert_handed_on(g)
        self.assertEqual(len(state["addresses"]["plans"]), 2)

    def test_after_a_crash_while_it_waits_for_another_start(self):
        g = self.serving("--restart-delay", "1h")
        os.kill(g.workers()[0]["pid"], signal.SIGSEGV)
        wait_until(lambda: not g.workers(), g.said)
        state = self.assert_handed_on(g)
        self.assertEqual(state["workers"], [])


if __name__ == "__main__":
    main()
