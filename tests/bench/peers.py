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


class Peer:
    worker = "worker.c"
    needs: tuple[str, ...] = ()

    def __init__(self, programs: Programs, boot_ms: int = 0):
        self.programs, self.boot_ms = programs, boot_ms
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

    def spoil(self) -> None:
        """What the next reload starts crashes at once."""
        self.app("#!/bin/sh\necho cannot open database >&2\nexit 3\n")

    # ---- the same for all -----------------------------------------------------------------------

    def app(self, text: str) -> None:
        self.write("app", text).chmod(0o755)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.with_name(name + ".new").write_text(text)
        path.with_name(name + ".new").rename(path)
        return path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def run(self, *command: object) -> subprocess.CompletedProcess:
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, env=self.environment())

    def environment(self) -> dict[str, str]:
        return os.environ | {"BENCH_BOOT_MS": str(self.boot_ms), "HOME": str(self.directory)}

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
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            try:
                os.killpg(self.process.pid, signal.SIGKILL)  # what it has left; the session was made for it
            except ProcessLookupError:
                pass
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
        limit = time.monotonic() + PATIENCE
        while (pid := self.ask()) == 0 or pid in but:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended: {self.last_words()}")
            if time.monotonic() > limit:
                raise Failed(f"{self.name} has no {'new ' if but else ''}answer after {PATIENCE} s: {self.last_words()}")
            time.sleep(0.0005)
        return pid

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
    needs = ("start_server",)

    def fit(self):
        self.app("#!/bin/sh\nfd=${SERVER_STARTER_PORT##*=}\n[ $fd = 3 ] || eval exec 3\\<\\&$fd\n"
                 "export LISTEN_FDS=1 LISTEN_PID=$$\nexec %s\n" % self.programs.workers["tiny"])

    def command(self):
        return ["start_server", f"--port={self.target}", "--", str(self.directory / "app")]


class Supervisor(Peer):
    name = "supervisor"
    needs = ("supervisord", "supervisorctl")

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

    def conf(self, more=""):
        self.write("conf", f"daemon off; pid {self.directory}/pid; error_log stderr; worker_processes 1;\nevents {{}}\n"
                   f"http {{ access_log off; server {{ listen {self.target}; default_type text/plain; {more}\n"
                   '  location / { return 200 "pid $pid\\n"; } } }\n')

    def fit(self):
        self.conf()

    def spoil(self):
        self.conf("no_such_directive on;")

    def command(self):
        return ["nginx", "-p", str(self.directory), "-c", str(self.directory / "conf")]

    def reload(self):
        return self.run("nginx", "-p", self.directory, "-c", self.directory / "conf", "-s", "reload")


class Haproxy(Peer):
    name, worker, needs = "haproxy", "haproxy", ("haproxy",)

    def conf(self, more=""):
        self.write("conf", f"defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n"
                   f"frontend f\n  bind {self.target}\n{more}"
                   '  http-request return status 200 content-type text/plain lf-string "pid %pid"\n')

    def fit(self):
        self.conf()

    def spoil(self):
        self.conf("  no-such-keyword\n")

    def command(self):
        return ["haproxy", "-W", "-f", str(self.directory / "conf")]

    def reload(self):
        os.kill(self.pid, signal.SIGUSR2)


class Gunicorn(Peer):
    name, worker, needs = "gunicorn", "Python, in gunicorn", ("gunicorn",)

    def fit(self):
        self.write("app.py", WSGI.format(at_start=""))

    def spoil(self):
        self.write("app.py", WSGI.format(at_start="\nraise SystemExit('cannot open database')"))

    def command(self):
        return ["gunicorn", "-b", self.target, "-w", "1", "-k", "gthread", "--threads", "8", "app:application"]


class Uwsgi(Peer):
    name, worker, needs = "uwsgi", "Python, in uwsgi", ("uwsgi-core",)
    fit, spoil = Gunicorn.fit, Gunicorn.spoil

    def command(self):
        return ["uwsgi-core", "--plugin", "python3", "--http-socket", self.target, "--master", "--processes", "1", "--lazy-apps",
                "--need-app", "--die-on-term", "--disable-logging", "--wsgi-file", "app.py"]


class Pm2(Peer):
    name, worker, needs = "pm2", "Node, in a cluster of 1", ("pm2", "node")

    def fit(self):
        self.write("app.js", NODE.format(at_start="", where=f"{self.port}, '127.0.0.1'"))

    def spoil(self):
        self.write("app.js", "console.error('cannot open database'); process.exit(3);\n")

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

    def spoil(self):
        self.write("app.js", "console.error('cannot open database'); process.exit(3);\n")


PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (Floor, Graced, ServerStarter, Supervisor, GracedNode, Pm2, Gunicorn, Uwsgi, Nginx, Haproxy)
}

__all__ = ["PEERS", "Peer", "children_of"]
