"""What can happen while a server that somebody has started by hand is taken over."""
import contextlib, os, signal, socket, subprocess

from listening import sockets_of
from steps import BROKEN_OFF, step
from world import HERE, PATIENCE, alive, marked, must, wait_until


@step(4, 3)
def taken_over(world, how, tries, which):
    """After candidates that fail, of which neither it nor its clients notice anything."""
    if not world.adopted or world.udp:
        return None  # nobody listens after a stop but those, and UDP is not taken over
    world.drop_load()
    world.stop()
    habits = ["deaf", "ready"] if how % 3 == 1 else ["ready"]
    server = subprocess.Popen([os.path.join(HERE, "worker.py"), *habits], env=world.environment(), cwd=world.directory,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: "generation 0" in asked(world), "a server that is started by hand answers")
    target = ("--take", str(server.pid) if how // 3 % 2 else "tcp:%s:%d" % world.address)
    world.begin_load()
    for n in range(1 + tries % 2):
        FAILURES[(which + n * 5) % len(FAILURES)](world, server, target)
        world.build("ready")
        world.settings.update(world.usual)
        world.configure()
        must(server.poll() is None, "a takeover that fails leaves the server alone", server.returncode, world.stderr.last())
        must("generation 0" in asked(world), "who was not taken over serves", world.stderr.last())
    if how % 3 == 2:
        dies_before(world, server, target)
    else:
        if how % 3 == 1:
            world.settings["drain-timeout"] = "300ms"
            world.configure()
        world.start(*target)
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        must(False, "who was taken over ends", world.status(), world.stderr.last())
    wait_until(lambda: all(w["generation"] for w in world.status()["workers"]), "who was taken over is forgotten", world.status)
    return BROKEN_OFF if how % 3 else None


def asked(world):
    """"" while nobody listens."""
    try:
        with socket.create_connection(world.address, timeout=PATIENCE) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            heard = b""
            while part := s.recv(65536):
                heard += part
            return heard.decode()
    except ConnectionError:
        return ""


def dies_before(world, server, target):
    """Its clients wait for the first generation."""
    world.build("slow=0.4", "ready")
    world.launch(*target)
    started(world)
    server.kill()
    world.manager_hears("READY=1", "a first generation serves for whom it was to take over")
    world.status()
    world.is_followed()
    world.build("ready")


def started(world):
    """The first generation is, and waits for something."""
    told = lambda: world.stderr.text.rpartition(b"with PID %d," % world.pid)
    wait_until(lambda: world.process.poll() is not None or told()[1] and b": started: " in told()[2], "a first generation starts", world.stderr.last)
    must(world.process.poll() is None, "it goes on as long as its candidate does", world.stderr.last())


def given_back(world, server, target, code=1, after=lambda: None):
    """As it was found, with nothing left of who had it for a while."""
    before = sockets_of(server.pid)
    world.launch(*target)
    after()
    try:
        world.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        must(False, "a takeover that fails ends", world.stderr.last())
    must(world.process.returncode == code, "graced ends if it cannot take over", world.process.returncode, world.stderr.last())
    must(sockets_of(server.pid) == before, "who was not taken over has its sockets as they were", before, sockets_of(server.pid))
    wait_until(lambda: marked(world.mark) == [server.pid], "nothing is left behind", lambda: marked(world.mark))


def crashes(world, server, target):
    world.build("say=out-of-luck", "exit=3")
    given_back(world, server, target)


def is_missing(world, server, target):
    world.build()
    given_back(world, server, target)


def lies(world, server, target):
    world.build("lie")
    given_back(world, server, target)


def hangs(world, server, target):
    """Before it has bound its address, or when it has."""
    world.settings["ready-timeout"] = "300ms"
    world.settings["drain-timeout"] = "300ms"
    world.configure()
    world.build("hang")
    given_back(world, server, target)


def never_waits(world, server, target):
    world.settings["ready-timeout"] = "300ms"
    world.settings["drain-timeout"] = "300ms"
    world.configure()
    world.build("early", "hang")
    given_back(world, server, target)


def is_sick(world, server, target):
    if not world.proves:
        return
    world.verdict("exit 1")
    given_back(world, server, target)
    world.verdict("exit 0")


def is_stopped(world, server, target):
    """Somebody does not want it any more."""
    world.build("hang")

    def stop():
        started(world)
        os.kill(world.pid, signal.SIGTERM)
        with contextlib.suppress(ProcessLookupError):
            os.kill(world.pid, signal.SIGTERM)  # without waiting for who hangs

    given_back(world, server, target, 0, stop)


def is_killed(world, server, target):
    """graced is, with what it has started; what it has set on the sockets of others is no harm to them, or to the next one."""
    world.build("early", "hang")
    world.launch(*target)
    started(world)
    world.process.kill()
    world.process.wait()
    left = [pid for pid in marked(world.mark) if pid != server.pid]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, left)), "who is killed dies")


FAILURES = crashes, hangs, is_killed, is_missing, is_sick, is_stopped, lies, never_waits
