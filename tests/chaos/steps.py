"""What can happen to graced. A step is a name and numbers, so that it can be written down and done again; it
returns the kinds of failed requests that it explains."""
import contextlib, os, resource, shutil, signal, socket, subprocess, time

from world import GRACED, PATIENCE, Broken, alive, descriptors, must, stat_of, wait_until

ANYTHING = {"refused", "reset", "eof", "reused_reset", "partial", "timeout", "http", "body"}
BROKEN_OFF = {"reset", "eof", "partial", "reused_reset"}  # the worker that had it died
PROVING = {"reload-sick", "rolled-back", "sick-while-serving", "sick-on-probation", "upgrade-on-probation"}  # with a probe and a probation only…
NOT_PROVING = {"addresses-changed", "path-vanishes", "reload-in-batches"}  # …beside which nobody has a unix path of graced's, or batches
# A socket of the worker's own is its own to shut; and with --listen nothing is adopted.
NOT_ADOPTED = {"worker-does-shutdown", "worker-does-close", "addresses-changed", "path-vanishes"}
NOT_IDLE = {"reload-in-batches"}  # all workers have one socket of --listen
QUIETLY = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
STEPS = {}  # name: (weight, how many numbers, function)


def step(weight, numbers=0):
    def register(function):
        STEPS[function.__name__.replace("_", "-")] = (weight, numbers, function)
        return function

    return register


# ---- reloads ---------------------------------------------------------------------------------------


@step(6)
def reload_good(world):
    world.reload(0)


@step(3)
def reload_slow(world):
    world.build("slow=0.4", "ready")
    world.reload(0)


@step(3)
def reload_crash(world):
    world.build("say=out-of-luck", "exit=3")
    world.reload(1, ["status 3", "out-of-luck"])


@step(1)
def reload_hang(world):
    world.settings["ready-timeout"] = "200ms"
    world.configure()
    world.build("hang")
    world.reload(1, ["not ready"])


@step(3, 2)
def reload_canary(world, how, which):
    """It gets a share first, and then it serves, or crashes, or is ended by somebody."""
    if not world.adopted:
        return None  # what was started without it shares its sockets with whoever follows
    try:
        if how % 3 == 0:
            world.settings["canary"] = "30%/50ms,70%/50ms"
            world.configure()
            world.reload(0)
            return None
        world.settings["canary"] = "50%/1h"
        world.configure()
        before = world.status()["serving"]
        asked = subprocess.Popen([GRACED, "reload", "--control", world.control], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        canary = lambda: world.status()["canary"]
        wait_until(lambda: asked.poll() is not None or canary(), "a canary begins")
        candidate = [w["pid"] for w in world.status()["workers"] if w["state"] == "ready" and w["generation"] != before]
        must(candidate, "a canary is ready", asked.poll())
        if how % 3 == 1:
            os.kill(candidate[which % len(candidate)], signal.SIGKILL)
        else:
            told = world.ask("rollback" if which % 2 else "abort")
            must(told.returncode == 0, "a canary can be ended", told.stderr)
        _, why = asked.communicate(timeout=PATIENCE)
        must(asked.returncode == 1 and "with 50% of new connections: " in why, "the asker is told how a canary ended", asked.returncode, why)
        must(world.status()["serving"] == before, "a canary that fails changes nothing")
        return BROKEN_OFF if how % 3 == 1 else None
    finally:
        world.settings.pop("canary", None)


@step(2)
def reload_never_waits(world):
    """It listens and says READY=1, and nobody ever waits for a connection."""
    world.settings["ready-timeout"] = "300ms"
    world.settings["drain-timeout"] = "300ms"  # and then it does not leave
    world.configure()
    world.build("early", "hang")
    world.reload(1, ["not ready within"])  # in time to say so, or not


@step(2)
def reload_missing(world):
    world.build()
    world.reload(1, ["No such file"])


@step(2)
def reload_liar(world):
    """Says READY=1 and dies, again and again, until there is a better build."""
    world.build("lie")
    world.reload()
    world.build("ready")
    wait_until(lambda: world.reload() == 0, "a good build ends a crash loop")


@step(2)
def reload_said_ready_by_a_stranger(world):
    world.settings["ready-timeout"] = "300ms"
    world.configure()
    world.build("hang")
    asked = subprocess.Popen([GRACED, "reload", "--control", world.control], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(world.status()["workers"]) > int(world.settings["workers"]) or asked.poll() is not None,
               "the candidate starts")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for name in os.listdir(world.directory):
            if name.startswith("control") and name.endswith("notify"):
                s.sendto(b"READY=1", world.path(name))
    _, said = asked.communicate(timeout=PATIENCE)
    must(asked.returncode == 1, "nobody but a worker makes it ready", said)


@step(2, 1)
def reload_aborted(world, n):
    """Whatever it waits for: its check, its candidate, or nothing any more."""
    if n % 2:
        world.configure("check = sleep 1000")
    else:
        world.build("hang")
    asked = subprocess.Popen([GRACED, "reload", "--control", world.control], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: world.status()["phase"] == "reloading" or asked.poll() is not None, "the reload begins")
    if n % 3 == 0:
        os.kill(world.pid, signal.SIGHUP)  # and is next, good or not
    world.build("ready")
    world.configure()
    aborted = world.ask("abort")
    must(aborted.returncode == 0, "a reload that hangs is aborted", aborted.stderr, world.stderr.last())
    _, said = asked.communicate(timeout=PATIENCE)
    must(asked.returncode == 1 and "aborted by" in said, "who waits is told that it was aborted", said)
    world.settle()
    again = world.ask("abort")
    must(again.returncode == 1 and "nothing to abort" in again.stderr, "nothing to abort is said", again.stderr)


@step(3, 1)
def hup_storm(world, n):
    """A burst costs two reloads at most."""
    before = world.status()["reloads"]
    for _ in range(2 + n % 100):
        os.kill(world.pid, signal.SIGHUP)
    world.settle()
    wait_until(lambda: world.status()["reloads"] > before, "SIGHUP reloads")
    world.settle()
    after = world.status()["reloads"]
    must(after - before <= 2, "a burst of SIGHUPs costs two reloads at most", after - before)


@step(2, 1)
def many_askers(world, n):
    askers = [subprocess.Popen([GRACED, "reload", "--control", world.control], **QUIETLY) for _ in range(2 + n % 10)]
    for asker in askers:
        try:
            must(asker.wait(PATIENCE) == 0, "every asker is told how it went", asker.returncode)
        except subprocess.TimeoutExpired:
            asker.kill()
            raise Broken("every asker is answered")


# ---- workers ----------------------------------------------------------------------------------------


@step(3, 2)
def worker_signalled(world, which, what):
    os.kill(world.pick(which), [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGINT][what % 4])
    return BROKEN_OFF


@step(2, 1)
def worker_stopped_for_a_moment(world, which):
    pid = world.pick(which)
    worker = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    world.reload(0)
    # With idle drain nobody tells it before the drain signal, for which its clients wait too long.
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(worker, signal.SIGCONT)
    os.close(worker)


@step(1, 1)
def worker_stopped_for_ever(world, which):
    """Until the drain timeout, which ends it with all that it had."""
    world.settings["drain-timeout"] = "500ms"
    world.configure()
    world.reload(0)
    os.kill(world.pick(which), signal.SIGSTOP)
    world.reload(0)
    return BROKEN_OFF


@step(2, 1)
def workers_stopped_as_by_a_terminal(world, what):
    """SIGTSTP that somebody sends is passed on; a signal of the terminal's stops one worker."""
    if what % 2:
        os.kill(world.pid, signal.SIGTSTP)
    else:
        os.kill(world.pick(what), signal.SIGTTOU)
    stopped = lambda: [w["pid"] for w in world.status()["workers"] if (stat_of(w["pid"]) or "Z")[0] == "T"]
    wait_until(stopped, "a worker that is sent a signal that stops it is stopped", world.stderr.last)
    for worker in world.status()["workers"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker["pid"], signal.SIGCONT)


def a_deaf_one_drains(world, limit):
    """One that ignores SIGTERM, beside the one that serves."""
    world.settings["drain-timeout"] = limit
    world.configure()
    world.build("deaf", "ready")
    world.reload(0)
    world.build("ready")
    world.reload(0)


@step(2)
def worker_deaf(world):
    """One that ignores SIGTERM goes on serving until it is killed."""
    a_deaf_one_drains(world, "300ms")
    return BROKEN_OFF


@step(2, 1)
def draining_killed(world, which):
    world.build("deaf", "ready")
    world.reload(0)
    world.build("ready")
    world.reload(0)
    wait_until(lambda: world.status()["standby"] is None, "a probation ends")
    pid = world.pick(which, "draining")
    if pid:
        os.kill(pid, signal.SIGKILL)
    os.kill(world.pid, signal.SIGUSR2)  # hammer time for the others
    return BROKEN_OFF


def worker_does(weight, what, explains=frozenset(), then_reload=True):
    def does(world, which):
        world.tell(world.pick(which), what)
        if then_reload:
            world.reload(0)
        return explains

    does.__name__ = "worker_does_" + what
    step(weight, 1)(does)


worker_does(2, "flood")
worker_does(2, "lies")
worker_does(2, "stderr")
worker_does(2, "blocking", {"timeout"})
worker_does(1, "leak", {"timeout"})
worker_does(2, "exit", BROKEN_OFF, then_reload=False)
worker_does(1, "crash", BROKEN_OFF, then_reload=False)


@step(2, 1)
def worker_does_fork(world, which):
    """What it has started ignores SIGTERM, and has the time that the worker has."""
    world.settings["drain-timeout"] = "300ms"
    world.configure()
    world.reload(0)
    world.tell(world.pick(which), "fork")
    world.reload(0)
    return BROKEN_OFF


@step(2)
def worker_outlived_by_its_tree(world):
    """The server is below a shell, which dies of the drain signal and hands it to nobody."""
    world.build("ready")
    with open(world.path("build/app")) as f:
        script = f.read()
    world.write("build/app", script.replace("exec ", "") + "true\n", 0o755)
    world.reload(0)
    world.build("ready")
    world.reload(0)


@step(2, 1)
def worker_does_close(world, which):
    """Nobody accepts any more, if it was the only one, until the next generation does."""
    world.tell(world.pick(which), "close")
    world.reload(0)


@step(2, 1)
def worker_does_shutdown(world, which):
    before = world.stderr.text.count(b"listens again")
    world.tell(world.pick(which), "shutdown")
    wait_until(lambda: world.stderr.text.count(b"listens again") != before, "a socket that was shut down listens again")
    return BROKEN_OFF | {"refused"}


@step(3, 2)
def artefact_changed(world, which, how):
    """What has come to lie at the path, refused or never asked about, is not what a replaced worker runs."""
    way = how % 4
    if way == 0:
        world.build("exit=3")
    elif way == 1:
        world.build()
    else:  # another directory of that name, or a link to another one
        os.rename(world.path("build"), world.path("build.old"))
        other = world.path("build.bad" if way == 3 else "build")
        os.mkdir(other)
        if way == 3:
            os.symlink("build.bad", world.path("build"))
        world.build("exit=3")
    if how // 4 % 2:
        world.reload(1)
    killed = world.pick(which)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in world.serving(), "who is killed dies")
    world.settle()
    if way == 3:
        os.unlink(world.path("build"))
        os.rename(world.path("build.bad"), world.path("build"))
    shutil.rmtree(world.path("build.old"), True)
    return BROKEN_OFF


@step(3)
def quiet_answer_in_flight(world):
    """The worker has spoken last and has not answered yet, as behind TLS; a pause is not the end."""
    with socket.create_connection(world.where(), timeout=PATIENCE) as s:
        s.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = b""
        while b"generation " not in heard:
            part = s.recv(65536)
            must(part, "a slow request is taken", world.stderr.last())
            heard += part
        pid = int(heard.partition(b"pid ")[2].split()[0])
        world.reload(0)
        if world.adopted:
            wait_until(lambda: any(w["pid"] == pid and (w["quiet_s"] or 0) > 1.2 for w in world.status()["workers"]), "a slow answer is waited for",
                       world.stderr.last)
        world.tell(pid, "answer")
        heard = b""
        while part := s.recv(65536):
            heard += part
        must(b"200 OK" in heard and b"pid %d " % pid in heard, "a slow answer is not cut", heard, world.stderr.last())


# ---- configuration ----------------------------------------------------------------------------------


@step(3, 1)
def workers_changed(world, n):
    world.settings["workers"] = str(1 + n % 4)
    world.configure()
    world.reload(0)


@step(3, 2)
def reload_in_batches(world, n, what):
    """Few workers start at a time. It goes well, or its last worker fails, or an old or a new one dies or it is
    aborted in between: then the old ones are all there again."""
    workers = 2 + n % 3
    world.batches = True
    world.settings["workers"] = str(workers)
    world.configure()
    world.reload(0)
    world.settings["max-surge"] = ["1", "2", "50%"][n // 3 % 3]
    world.configure()
    if what % 4 == 0:
        world.reload(0)
        return None
    if what % 4 == 1:
        world.build("exit=3@%d" % (workers - 1), "ready")
        world.reload(1, ["status 3"])
        return None
    world.build("slow=0.2", "ready")
    asked = subprocess.Popen([GRACED, "reload", "--control", world.control], **QUIETLY)
    began = lambda: asked.poll() is not None or world.status()["batches"]
    wait_until(began, "the batches begin")
    if what % 4 == 2:
        world.ask("abort")
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(world.pick(n), signal.SIGKILL)  # those that are ready are old ones, or serve beside them
    try:
        asked.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        asked.kill()
        raise Broken("who asks for a reload in batches is answered", world.status(), world.stderr.last())
    return BROKEN_OFF if what % 4 == 3 else None


@step(3, 1)
def addresses_changed(world, n):
    world.extra = ["127.0.0.1:0,name=a", "unix:" + world.path("extra.sock"), "unix:@" + world.directory][: n % 4]
    world.configure()
    world.reload(0)
    must(os.path.exists(world.path("extra.sock")) == (n % 4 >= 2), "an address is there while it is asked for")


@step(3, 1)
def path_vanishes(world, n):
    """Whoever removed it, and however often: the same socket is reached there again."""
    path = world.path("extra.sock")
    world.extra = ["unix:" + path]
    world.configure()
    world.reload(0)
    socket_file = os.stat(path).st_ino
    for i in range(1 + n % 7):
        os.rename(path, path + ".away") if (n + i) % 3 == 0 else os.unlink(path)
        wait_until(lambda: os.path.exists(path), "a path that vanishes comes back", world.stderr.last)
        must(os.stat(path).st_ino == socket_file, "it is the same socket's")
    if n % 2:
        world.reload(0)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(path)
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        must(b"pid " in s.recv(65536), "somebody answers there")


BAD = ["workers = lots", "wrkers = 2", "listen = 127.0.0.1:99999", "listen = unix:/nowhere/at/all.sock", "env-file = /nowhere",
       "no line", "user = nobody-of-that-name", "listen = 192.0.2.1:80", "start-limit = 3", "command ="]


@step(3, 1)
def configuration_broken(world, n):
    bad = BAD[n % len(BAD)]
    world.configure(bad)
    world.reload(1)
    world.configure()


@step(1)
def configuration_gone(world):
    os.unlink(world.path("graced.conf"))
    world.reload(1, ["graced.conf"])
    world.configure()


# ---- clients of the control socket ----------------------------------------------------------------


def connected(world):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(PATIENCE)
    s.connect(world.control)
    return s


GREETING = b"\0AUTH EXTERNAL %s\r\nBEGIN\r\n" % str(os.geteuid()).encode().hex().encode()


@step(2, 1)
def control_garbage(world, n):
    for i in range(1 + n % 30):
        with connected(world) as s:
            try:
                s.sendall([b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 5000, GREETING + b"\xff" * 64, GREETING + b"l\1\0\1", GREETING[:9]][i % 6])
            except OSError:
                pass  # hung up on already


@step(2, 1)
def control_crowd(world, n):
    """Some connect and say nothing, some vanish while they wait for an answer."""
    crowd = [connected(world) for _ in range(1 + n % 50)]
    waiting = [subprocess.Popen([GRACED, "reload", "--control", world.control], **QUIETLY) for _ in range(3)]
    for w in waiting:
        w.kill()
        w.wait()
    world.reload()
    for s in crowd:
        s.close()


@step(1)
def control_never_reads(world):
    name, member = b"org.freedesktop.DBus.Introspectable", b"Introspect"
    fields = b""
    for code, kind, text in ((1, b"o", b"/org/graced/Supervisor1"), (2, b"s", name), (3, b"s", member)):
        fields = fields.ljust((len(fields) + 7) // 8 * 8, b"\0")
        fields += bytes([code, 1]) + kind + b"\0" + len(text).to_bytes(4, "little") + text + b"\0"
    call = b"l\1\0\1" + (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + len(fields).to_bytes(4, "little") + fields
    call = call.ljust((len(call) + 7) // 8 * 8, b"\0")
    with connected(world) as s:
        s.sendall(GREETING)
        s.setblocking(False)
        try:
            for _ in range(10_000):
                s.send(call)
        except OSError:
            pass
        world.reload(0)


# ---- what the machine does --------------------------------------------------------------------------


@step(2, 1)
def few_descriptors(world, n):
    """A reload may fail for want of descriptors; then it says so and changes nothing."""
    before = resource.prlimit(world.pid, resource.RLIMIT_NOFILE)
    used = len(descriptors(world.pid))
    resource.prlimit(world.pid, resource.RLIMIT_NOFILE, (used + n % 16, before[1]))
    try:
        asked = world.ask("reload")
        must(asked.returncode in (0, 1), "who asks for a reload is answered", asked.returncode, asked.stderr)
        world.status()
    finally:
        resource.prlimit(world.pid, resource.RLIMIT_NOFILE, before)


@step(1)
def few_processes(world):
    """The candidate's user has one, and may have none. Only root can start one as somebody else."""
    if os.geteuid() != 0:
        return
    world.configure("user = nobody", "rlimit = nproc=0")
    other = subprocess.Popen(["sleep", "1000"], user="nobody")
    try:
        world.reload(1, ["exec", "Resource temporarily unavailable"])
    finally:
        other.kill()
        other.wait()


FULL_DISK = """mount -t tmpfs -o size=4k none "$1" && head -c 8k /dev/zero >"$1/full" 2>/dev/null
exec "$2" run --name full --control "$3" --pid-file "$1/pid" -- /bin/sleep 1000"""


@step(1)
def no_room_for_a_pid_file(world):
    """Another instance, on a disk that is full (a mount of its own, which takes root): it does not start."""
    if os.geteuid() != 0:
        return
    os.makedirs(world.path("disk"), exist_ok=True)
    other = subprocess.run(["unshare", "--mount", "sh", "-c", FULL_DISK, "sh", world.path("disk"), GRACED, world.path("other")],
                           capture_output=True, text=True, timeout=PATIENCE)
    must(other.returncode == 1, "without room for its pid file graced does not start", other.returncode, other.stderr)
    must("No space left on device" in other.stderr, "it is told what there is no room for", other.stderr)
    must(not [f for f in os.listdir(world.directory) if f.startswith("other")], "nothing is left behind")


@step(0, 1)
def wall_clock_stepped(world, n):
    """For everybody on the machine, so `run` takes it only with --clock."""
    began, real = time.monotonic(), time.time()
    time.clock_settime(time.CLOCK_REALTIME, real + [90, -90, 5, -5][n % 4])
    try:
        world.reload(0)
        ago = world.status()["last_reload"]["age_s"]
        must(0 <= ago < time.monotonic() - began + 1, "a clock that is set changes no time that has passed", ago)
    finally:
        time.clock_settime(time.CLOCK_REALTIME, real + time.monotonic() - began)


@step(1)
def log_not_read(world):
    """Whoever reads graced's stderr stops; the workers' noise fills the pipe; a reload goes on."""
    world.stderr.reading.clear()
    world.tell(world.pick(0), "stderr")
    world.reload(0)
    world.stderr.reading.set()


@step(1)
def graced_stopped_for_a_moment(world):
    os.kill(world.pid, signal.SIGSTOP)
    os.kill(world.pid, signal.SIGHUP)
    time.sleep(0.1)  # no word is heard of a process that is stopped
    os.kill(world.pid, signal.SIGCONT)


@step(1, 1)
def graced_restarted(world, full):
    """By its manager; where that holds the sockets nobody is refused."""
    world.stop()
    stderr = open("/dev/full", "w") if full % 2 else None
    world.start(stderr=stderr)
    if stderr:
        stderr.close()
        world.reload(0)
        world.stop()
        world.start()
    return set() if world.held else ANYTHING  # another port


@step(1)
def graced_killed(world):
    """SIGKILL; the manager ends what it left, as systemd does, and starts another."""
    workers = [w["pid"] for w in world.status()["workers"]]
    os.kill(world.pid, signal.SIGKILL)
    world.process.wait()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, workers)), "who is killed dies")  # until then the socket is in use
    world.start()
    return BROKEN_OFF if world.held else ANYTHING


def clean(world):
    """A step's own settings end with it."""
    world.settings.update(world.usual)
    world.settings.pop("max-surge", None)
    world.configure()
    world.build("ready")
