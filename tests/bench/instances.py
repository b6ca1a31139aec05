"""Many instances of graced on one machine, for what looks at them: each with a worker that sleeps."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from supervisors import PATIENCE, Failed, Programs

# Nobody else's instances are found there; takes root.
ALONE = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "alone"]


def used(pid: int) -> float:
    """Seconds on a processor, user and system, all threads together."""
    return sum(int(stat.read_text().split()[0]) for stat in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


class Instances:
    def __init__(self, programs: Programs):
        self.programs = programs
        self.processes: list[subprocess.Popen] = []
        self.terminals = 0
        self.place = tempfile.TemporaryDirectory(prefix="graced-bench-")
        self.directory = Path(self.place.name)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GRACED_") and k not in ("RUNTIME_DIRECTORY", "NOTIFY_SOCKET")}
        self.env = {**kept, "XDG_RUNTIME_DIR": str(self.directory / "run"), "LC_ALL": "C.UTF-8"}

    def start(self, count: int) -> None:
        for i in range(count):
            place = self.directory / "run/graced" / f"app{i:03}"
            place.mkdir(parents=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(str(place / "manager"))
                manager.settimeout(PATIENCE)
                self.processes.append(subprocess.Popen(
                    [self.programs.graced, "run", "--name", place.name, "--control", place / "control", "-l", f"unix:{place}/app",
                     "--ready", "after:0s", "--", "sleep", "infinity"],
                    env={**self.env, "NOTIFY_SOCKET": str(place / "manager")}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL))
                try:
                    while b"READY=1" not in manager.recv(4096):
                        pass
                except TimeoutError:
                    raise Failed(f"{place.name} of {count} instances is not ready within {PATIENCE} s") from None

    def __enter__(self) -> "Instances":
        return self

    def __exit__(self, *_) -> None:
        for p in self.processes:
            p.send_signal(signal.SIGCONT)
            p.send_signal(signal.SIGTERM)
        for p in self.processes:
            p.wait()
        self.place.cleanup()

    @contextmanager
    def hanging(self, count: int):
        """The first of them hang meanwhile; their names."""
        some = self.processes[:count]
        for p in some:
            p.send_signal(signal.SIGSTOP)
        try:
            yield [f"app{i:03}" for i in range(count)]
        finally:
            for p in some:
                p.send_signal(signal.SIGCONT)

    def used(self) -> float:
        return sum(used(p.pid) for p in self.processes)

    def listed(self) -> float:
        """Milliseconds that `graced list` takes, from the start of the program to its end."""
        begun = time.monotonic()
        ended = subprocess.run([*ALONE, self.programs.graced, "list", "--json"], env=self.env, capture_output=True)
        took = time.monotonic() - begun
        if ended.returncode != 0 or len(json.loads(ended.stdout)) != len(self.processes):
            raise Failed(f"graced list: {ended.stderr.decode().strip() or 'it does not tell of all instances'}")
        return took * 1000

    @contextmanager
    def exporter(self):
        """A graced-exporter that sees them; yields what asks it."""
        process = subprocess.Popen([*ALONE, self.programs.exporter, "--listen", "127.0.0.1:0"], env=self.env, stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        try:
            said = process.stderr.readline()
            port = re.search(r"127\.0\.0\.1:(\d+)", said)
            if not port:
                raise Failed(f"graced-exporter: {said.strip()}")
            yield Exporter(int(port.group(1)))
        finally:
            process.terminate()
            process.wait()
            process.stderr.close()

    @contextmanager
    def top(self, *words: str, rows: int):
        """`graced top` on a terminal of so many rows, once it shows something; yields its PID."""
        self.terminals += 1  # each has a server of its own: one that ends takes its time
        tmux = ["tmux", "-u", "-S", str(self.directory / f"tmux{self.terminals}")]
        pid_file = self.directory / "pid"
        pid_file.unlink(missing_ok=True)
        subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", str(rows), "sh", "-c",
                        f'echo $$ >{pid_file}; exec "$@"', "sh", *ALONE, str(self.programs.graced), "top", *words], env=self.env, check=True)
        try:
            end = time.monotonic() + PATIENCE
            shown = ""
            while not re.search(r"app\d+ +serving.*\d%", shown):
                if time.monotonic() > end:
                    raise Failed("graced top shows nothing: " + shown.strip())
                time.sleep(0.1)
                shown = subprocess.run([*tmux, "capture-pane", "-p"], env=self.env, capture_output=True, text=True).stdout
            yield int(pid_file.read_text())
        finally:
            subprocess.run([*tmux, "kill-server"], env=self.env, capture_output=True)


class Exporter:
    def __init__(self, port: int):
        self.port = port

    def scrape(self) -> tuple[float, str]:
        """Milliseconds, and the metrics."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        begun = time.monotonic()
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise Failed(f"graced-exporter answers with {answer.status}")
        return (time.monotonic() - begun) * 1000, body
