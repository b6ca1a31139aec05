"""What can happen to a deploy that has to prove itself."""
import os, signal

from steps import BROKEN_OFF, step
from world import must, wait_until


@step(4, 1)
def reload_sick(world, n):
    """It is ready, and its probe says that it is ill; nobody else has reached it."""
    world.verdict("echo out of order >&2; exit 1")
    (world.reload if n % 2 else lambda *expected: hup(world))(1, ["out of order"])
    world.verdict("exit 0")


def hup(world):
    failed = world.status()["failed_reloads"]
    os.kill(world.pid, signal.SIGHUP)
    wait_until(lambda: world.status()["failed_reloads"] == failed + 1, "a candidate that is ill fails the reload", world.stderr.last)


@step(5, 2)
def rolled_back(world, how, which):
    """By hand or by a crash, of the first new build or of a second one; the one before serves as if nothing had been."""
    good = sorted(world.serving())
    before = world.status()
    world.settings["probation"] = "1h"
    world.configure()
    for _ in range(1 + how // 2 % 2):
        world.reload(0)
    must(world.status()["standby"] == before["serving"], "the last one that was proven stands by", world.status())
    if how % 2:
        os.kill(world.pick(which), signal.SIGKILL)
    else:
        told = world.ask("rollback")
        must(told.returncode == 0, "who asks for a rollback is told how it went", told.stderr)
    wait_until(lambda: world.status()["serving"] == before["serving"], "the one that stood by serves again", world.stderr.last)
    must(sorted(world.serving()) == good, "no process is started for that", good, world.status())
    return BROKEN_OFF if how % 2 else ()


def watched(world):
    """A reload to a generation that is probed while it serves: it is sick once there is a file with its number."""
    world.settings["probe"] = "exec:sh -c '! test -e %s.$GRACED_GENERATION',interval=20ms,while-serving=50ms,timeout=40s,fails=2" % (
        world.path("sick"))
    world.configure()
    world.reload(0)
    return world.status()["serving"]


@step(4, 1)
def sick_while_serving(world, n):
    """Another one of the same takes its place, perhaps at the second try, or somebody's reload does."""
    serving = watched(world)
    wait_until(lambda: world.status()["standby"] is None, "a probation ends")
    before = world.status()
    sick = [serving, serving + 1][:1 + n % 2]
    for generation in sick:
        world.write("sick.%d" % generation, "")
    if n % 6 == 0:
        world.reload(0)
    wait_until(lambda: world.status()["serving"] not in sick, "who fails while serving is replaced", world.stderr.last)
    must(world.status()["failed_reloads"] == before["failed_reloads"], "a replacement is no reload", world.status())


@step(2)
def sick_on_probation(world):
    good = world.status()["serving"]
    world.settings["probation"] = "1h"
    world.write("sick.%d" % watched(world), "")
    wait_until(lambda: world.status()["serving"] == good, "who fails on probation is rolled back", world.stderr.last)


@step(3)
def called_back(world):
    """Where the generation before drains and was not told yet, or stands by; else that is said, and nothing changes."""
    before = world.status()["serving"]
    world.reload(0)
    told = world.ask("rollback")
    must(told.returncode in (0, 1), "a rollback is answered", told.returncode, told.stderr)
    must((world.status()["serving"] == before) == (told.returncode == 0), "a rollback does what it says", told.stdout, told.stderr)


@step(2, 1)
def hooks_told(world, which):
    """Each event once, and in the order in which they happened."""
    told = world.path("told")
    open(told, "w").close()
    world.configure("on = reloaded,reload-failed,crashed=/bin/sh -c 'echo $GRACED_EVENT >>%s'" % told)
    world.reload(0)
    world.build("exit=3")
    world.reload(1)
    world.build("ready")
    world.settle()
    os.kill(world.pick(which), signal.SIGKILL)

    def heard():
        with open(told) as f:
            return f.read().split()

    expected = ["reloaded", "reload-failed", "crashed"]
    wait_until(lambda: len(heard()) >= len(expected), "hooks are told", heard)
    must(heard() == expected, "hooks are told each event once, in order", heard())
    return BROKEN_OFF
