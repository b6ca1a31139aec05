"""graced itself is replaced, in the middle of what it does."""
import contextlib, os, signal, subprocess

from steps import BROKEN_OFF, a_deaf_one_drains, step
from upgrading import NEXT, bad_image
from world import GRACED, PATIENCE, Broken, must, wait_until

BAD = {"exits-1": "status 1", "aborts": "SIGABRT", "refuses": "it does not read", "crashes-after": "SIGSEGV", "aborts-after": "SIGABRT",
       "throws-after": "lost its way", "exits-after": "it called exit"}


def runs(world, binary):
    return os.path.samefile("/proc/%d/exe" % world.pid, binary)


def other(world):
    """The version that does not run."""
    return GRACED if runs(world, NEXT) else NEXT


def upgraded(world, binary):
    """With the same PID, and nothing else has changed."""
    before = world.status()
    told = world.ask("upgrade", "--binary", binary)
    must(told.returncode == 0, "an upgrade to a good image is done", told.returncode, told.stdout, told.stderr, world.stderr.last())
    must(world.process.poll() is None and runs(world, binary), "the other image runs, with the same PID", os.readlink("/proc/%d/exe" % world.pid))
    after = world.status()
    for what in "serving", "reloads", "failed_reloads", "rollbacks", "addresses", "pid":
        must(before[what] == after[what], "an upgrade changes nothing", what, before[what], after[what])


def asked(world, command, *arguments):
    return subprocess.Popen([GRACED, command, "--control", world.control, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def answer(world, process, what):
    try:
        _, why = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Broken("every asker is answered: %s was not in %d s" % (what, PATIENCE), world.status(), world.stderr.last())
    return process.returncode, why


@step(5, 1)
def upgrade(world, n):
    for _ in range(1 + n % 3):
        upgraded(world, other(world))


@step(4, 1)
def upgrade_bad(world, n):
    """Refused, or come back from: with the reason, and nothing has changed."""
    how = sorted(BAD)[n % len(BAD)]
    before, image = world.status(), os.readlink("/proc/%d/exe" % world.pid)
    told = world.ask("upgrade", "--binary", bad_image(world.path("bad"), how))
    must(told.returncode == 1 and BAD[how] in told.stderr, "who asks for an upgrade is told why it failed", how, told.returncode, told.stderr)
    must(os.readlink("/proc/%d/exe" % world.pid) == image, "the image before goes on")
    must(world.status()["workers"][0]["pid"] == before["workers"][0]["pid"], "an upgrade that fails changes nothing")
    os.unlink(world.path("bad"))


@step(4, 1)
def upgrade_while_reloading(world, n):
    """It waits until the candidate is ready, or has failed."""
    world.build("slow=0.3", "ready") if n % 2 else world.build("slow=0.2", "exit=3")
    reload = asked(world, "reload")
    image = other(world)
    upgrading = asked(world, "upgrade", "--binary", image)
    code, why = answer(world, upgrading, "an upgrade")
    must(code == 0 and runs(world, image), "an upgrade that waits for a reload is done", code, why, world.stderr.last())
    code, why = answer(world, reload, "a reload")
    must(code == 1 - n % 2, "a reload ends as it would have without an upgrade", code, why)


@step(4, 2)
def upgrade_among_signals(world, n, which):
    """All at once: a reload is asked for, workers die, and graced is replaced."""
    upgrading = asked(world, "upgrade", "--binary", other(world))
    os.kill(world.pid, signal.SIGHUP)
    killed = n % 2 == 0
    if killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(world.pick(which), signal.SIGKILL)
    code, why = answer(world, upgrading, "an upgrade")
    must(code == 0, "an upgrade is done, whatever happens besides", code, why, world.stderr.last())
    return BROKEN_OFF if killed else None


@step(3)
def upgrade_while_one_drains(world):
    """Who does not leave in time is killed by the image that came after."""
    a_deaf_one_drains(world, "700ms")
    upgraded(world, other(world))
    return BROKEN_OFF


@step(3, 2)
def upgrade_on_probation(world, n, which):
    """The one that stood by serves again afterwards, by hand or as the new one dies."""
    world.settings["probation"] = "1h"
    world.configure()
    before = world.status()["serving"]
    good = sorted(world.serving())
    world.reload(0)
    upgraded(world, other(world))
    must(world.status()["standby"] == before, "who stood by stands by", world.status())
    if n % 2:
        told = world.ask("rollback")
        must(told.returncode == 0, "who asks for a rollback is told how it went", told.stderr)
    else:
        os.kill(world.pick(which), signal.SIGKILL)
    wait_until(lambda: sorted(world.serving()) == good, "the one that stood by serves again", world.stderr.last)
    return None if n % 2 else BROKEN_OFF


@step(3, 1)
def upgrade_with_a_canary(world, n):
    """Its asker goes on waiting, across the upgrade."""
    if not world.adopted:
        return
    try:
        world.settings["canary"] = "50%/1h" if n % 2 else "30%/400ms"
        world.configure()
        reload = asked(world, "reload")
        wait_until(lambda: reload.poll() is not None or world.status()["canary"], "a canary begins")
        upgraded_to = other(world)
        told = world.ask("upgrade", "--binary", upgraded_to)
        must(told.returncode == 0 and runs(world, upgraded_to), "an upgrade beside a canary is done", told.stderr, world.stderr.last())
        if n % 2:
            must(world.ask("abort").returncode == 0, "a canary can be ended")
        code, why = answer(world, reload, "a reload")
        must(code == n % 2, "a canary ends as it would have without an upgrade", code, why)
    finally:
        world.settings.pop("canary", None)


@step(2, 1)
def upgrade_among_askers(world, n):
    askers = [asked(world, "status") for _ in range(1 + n % 8)]
    upgraded(world, other(world))
    for asker in askers:
        code, why = answer(world, asker, "status")
        must(code == 0, "who asks for the status meanwhile is answered", why)
