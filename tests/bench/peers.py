"""What does graceful reloads besides graced: one small entry each in PEERS, and how one is run.

The first ones supervise the benchmark's own worker (worker.c), so they differ by the supervisor alone. The
others are servers that reload themselves, or runtimes with a server inside, and serve the same few bytes. A
peer that is not installed is left out. To add one: a class with a command and a reload().
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from supervisors import PATIENCE, Failed, Programs, children_of, free_ports

WSGI = """import os{at_start}
body = b"pid %d\\n" % os.getpid()
def application(environ, start):
    body = b"pid %d\\n" % os.getpid()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
NODE = """{at_start}
const server = require('node:http').createServer((request, answer) => answer.end(`pid ${{process.pid}}\\n`));
server.listen({where});
process.on('SIGTERM', () => {{ server.close(); server.closeIdleConnections(); }});
process.on('SIGINT', () => {{ server.close(() => process.exit(0)); server.closeIdleConnections(); }});
"""
BAD_NODE = {"crash": "console.error('cannot open database'); process.exit(3);\n", "hang": "setTimeout(() => {}, 3600000);\n"}


def family(pid: int) -> set[int]:
    """All below it; none where it has ended."""
    try:
        children = children_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return set(children).union(*map(family, children))


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Peer:
    worker = "worker.c"
    needs: tuple[str, ...] = ()
    spoils: tuple[str, ...] = ("crash", "hang", "missing")  # the bad reloads that there are for it
    quiet = 0.2  # seconds from an answer until it takes the next reload as one of its own
    again = PATIENCE  # seconds without a new answer until it is asked again

    def __init__(self, programs: Programs, **environment: str):
        self.programs, self.more, self.boot_ms = programs, environment, 0
        self.asked_again, self.orphans = 0, set()
        self.directory = Path(tempfile.mkdtemp(prefix="bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.directory.chmod(0o755)
        self.port = free_ports(1)[0]
        self.process: subprocess.Popen | None = None
        self.fit()

    @classmethod
    def available(cls) -> bool:
        return all(shutil.which(program) for program in cls.needs)

    # ---- what an entry says ---------------------------------------------------------------------

    def prepare(self) -> None: ...

    def command(self) -> list[str]:
        raise NotImplementedError

    def reload(self) -> subprocess.CompletedProcess | None:
        """As an operator asks for it; None: nobody tells how it went."""
        os.kill(self.pid, signal.SIGHUP)
        return None

    def fit(self) -> None:
        """The application works."""
        self.app("#!/bin/sh\nexec %s\n" % self.programs.workers["tiny"])

    def spoil(self, how: str) -> None:
        """What the next reload starts crashes at once, hangs, or is not there."""
        if how == "missing":
            (self.directory / "app").unlink()
        else:
            self.app("#!/bin/sh\n" + {"crash": "echo cannot open database >&2\nexit 3\n", "hang": "exec sleep 3600\n"}[how])

    def settle(self) -> None:
        """Until it may be asked for the next reload."""
        time.sleep(self.quiet)

    # ---- the same for all -----------------------------------------------------------------------

    def app(self, text: str) -> None:
        self.write("app", text.replace("\n", f"\nexport BENCH_BOOT_MS={self.boot_ms}\n", 1), 0o755)

    def boot(self, ms: int) -> None:
        """What the next reload starts takes so long before it accepts."""
        self.boot_ms = ms
        self.fit()

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        new = self.directory / (name + ".new")
        new.write_text(text)
        new.chmod(mode)
        new.rename(self.directory / name)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def run(self, *command: object) -> subprocess.CompletedProcess:
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=PATIENCE, env=self.environment())

    def environment(self) -> dict[str, str]:
        return os.environ | {"HOME": str(self.directory)} | self.more

    def __enter__(self) -> "Peer":
        try:
            self.prepare()
            self.log = open(self.directory / "log", "w+b")
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.environment(),
                cwd=self.directory, start_new_session=True,
            )
            self.await_answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self.process:
            self.orphans |= family(self.pid)
            self.process.terminate()
            try:
                self.process.wait(5)  # one that waits for what hangs does not hear it
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            try:
                os.killpg(self.process.pid, signal.SIGKILL)  # what it has left; the session was made for it
            except ProcessLookupError:
                pass
            for pid in self.orphans:  # some give each process a session of its own
                if parent_of(pid) == os.getpid():
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
            self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self) -> int:
        """The PID that answers; 0: nobody does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while part := s.recv(4096):
                    answer += part
        except OSError:
            return 0
        body = answer.partition(b"\r\n\r\n")[2]
        return int(body.split()[1]) if b" 200 " in answer[:20] and body.startswith(b"pid ") else 0

    def await_answer(self, *but: int) -> int:
        limit, ask_again = time.monotonic() + PATIENCE, time.monotonic() + self.again
        while (pid := self.ask()) == 0 or pid in but:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended: {self.last_words()}")
            if time.monotonic() > limit:
                raise Failed(f"{self.name} has no {'new ' if but else ''}answer after {PATIENCE} s: {self.last_words()}")
            if but and time.monotonic() > ask_again:
                self.reload()
                self.asked_again, ask_again = self.asked_again + 1, time.monotonic() + self.again
            time.sleep(0.0005)
        return pid

    def kill(self) -> None:
        """The supervisor alone, as the kernel does it when memory runs out."""
        self.orphans |= family(self.pid)
        self.process.kill()
        self.process.wait()

    def last_words(self) -> str:
        lines = (self.directory / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"


class Floor(Peer):
    name = "floor"

    def command(self):
        return [str(self.programs.floor), "-l", str(self.port), str(self.directory / "app")]


class Graced(Peer):
    name = "graced"

    def command(self):
        return [str(self.programs.graced), "run", "--name", "bench", "--control", str(self.directory / "control"),
                "-l", f"127.0.0.1:{self.port}", "--", str(self.directory / "app")]

    def reload(self):
        return self.run(self.programs.graced, "reload", "--control", self.directory / "control")


class ServerStarter(Peer):
    name = "Server::Starter"
    needs, quiet = ("start_server",), 1.5  # a process counts as started after a second

    def fit(self):
        self.app("#!/bin/sh\nfd=${SERVER_STARTER_PORT##*=}\n[ $fd = 3 ] || eval exec 3\\<\\&$fd\n"
                 "export LISTEN_FDS=1 LISTEN_PID=$$\nexec %s\n" % self.programs.workers["tiny"])

    def command(self):
        return ["start_server", f"--port={self.target}", "--", str(self.directory / "app")]


class Supervisor(Peer):
    name = "supervisor"
    needs, quiet = ("supervisord", "supervisorctl"), 1.5

    def fit(self):
        self.app("#!/bin/sh\nexec 3<&0\nexport LISTEN_FDS=1 LISTEN_PID=$$\nexec %s\n" % self.programs.workers["tiny"])

    def prepare(self):
        self.write("conf", f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={self.directory}/pid\n"
                   f"[unix_http_server]\nfile={self.directory}/ctl\n[supervisorctl]\nserverurl=unix://{self.directory}/ctl\n"
                   "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
                   f"[fcgi-program:app]\ncommand={self.directory}/app\nsocket=tcp://{self.target}\n"
                   "process_name=%(program_name)s\nstartsecs=1\n")

    def command(self):
        return ["supervisord", "-c", str(self.directory / "conf")]

    def reload(self):
        return self.run("supervisorctl", "-c", self.directory / "conf", "restart", "app:app")


class Nginx(Peer):
    name, worker, needs = "nginx", "nginx", ("nginx",)
    spoils = ("crash",)

    def conf(self, more=""):
        self.write("conf", f"daemon off; pid {self.directory}/pid; error_log stderr; worker_processes 1;\nevents {{}}\n"
                   f"http {{ access_log off; server {{ listen {self.target}; default_type text/plain; {more}\n"
                   '  location / { return 200 "pid $pid\\n"; } } }\n')

    def fit(self):
        self.conf()

    def spoil(self, how):
        self.conf("no_such_directive on;")

    def command(self):
        return ["nginx", "-p", str(self.directory), "-c", str(self.directory / "conf")]

    def reload(self):
        return self.run("nginx", "-p", self.directory, "-c", self.directory / "conf", "-s", "reload")


class Haproxy(Peer):
    name, worker, needs = "haproxy", "haproxy", ("haproxy",)
    spoils = ("crash",)
    again = 1  # it forgets what it is asked while it still reloads

    def conf(self, more=""):
        self.write("conf", f"defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n"
                   f"frontend f\n  bind {self.target}\n{more}"
                   '  http-request return status 200 content-type text/plain lf-string "pid %pid"\n')

    def fit(self):
        self.conf()

    def spoil(self, how):
        self.conf("  no-such-keyword\n")

    def command(self):
        return ["haproxy", "-W", "-f", str(self.directory / "conf")]

    def reload(self):
        os.kill(self.pid, signal.SIGUSR2)

    def settle(self):
        super().settle()
        limit = time.monotonic() + PATIENCE
        while len(children_of(self.pid)) > 1 and time.monotonic() < limit:
            time.sleep(0.01)


class Gunicorn(Peer):
    name, worker, needs = "gunicorn", "Python, in gunicorn", ("gunicorn",)
    spoils = ("crash", "hang")

    def fit(self):
        self.write("app.py", WSGI.format(at_start=""))

    def spoil(self, how):
        bad = {"crash": "raise SystemExit('cannot open database')", "hang": "import time; time.sleep(3600)"}[how]
        self.write("app.py", WSGI.format(at_start="\n" + bad))

    def command(self):
        return ["gunicorn", "-b", self.target, "-w", "1", "-k", "gthread", "--threads", "8", "app:application"]


class Uwsgi(Peer):
    name, worker, needs = "uwsgi", "Python, in uwsgi", ("uwsgi-core",)
    spoils, quiet = Gunicorn.spoils, 1.5
    fit, spoil = Gunicorn.fit, Gunicorn.spoil

    def command(self):
        return ["uwsgi-core", "--plugin", "python3", "--http-socket", self.target, "--master", "--processes", "1", "--lazy-apps",
                "--need-app", "--die-on-term", "--disable-logging", "--wsgi-file", "app.py"]


class Pm2(Peer):
    name, worker, needs = "pm2", "Node, in a cluster of 1", ("pm2", "node")
    spoils, quiet = ("crash", "hang"), 1.5

    def fit(self):
        self.write("app.js", NODE.format(at_start="", where=f"{self.port}, '127.0.0.1'"))

    def spoil(self, how):
        self.write("app.js", BAD_NODE[how])

    def environment(self):
        return super().environment() | {"PM2_HOME": str(self.directory / "pm2")}

    def command(self):
        return ["pm2", "start", "app.js", "--name", "app", "-i", "1", "--no-daemon"]

    def reload(self):
        return self.run("pm2", "reload", "app")


class GracedNode(Graced):
    """For comparison with pm2: the same server, and nothing in it knows graced."""

    name, worker, needs = "graced + Node", "Node", ("node",)

    def fit(self):
        self.write("app.js", NODE.format(at_start="", where="{fd: 3}"))
        self.app(f"#!/bin/sh\nexec node {self.directory}/app.js\n")

    def spoil(self, how):
        if how == "missing":
            super().spoil(how)
        else:
            self.write("app.js", BAD_NODE[how])


PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (Floor, Graced, ServerStarter, Supervisor, GracedNode, Pm2, Gunicorn, Uwsgi, Nginx, Haproxy)
}

__all__ = ["PEERS", "Peer", "children_of"]
