"""The supervisors that are compared: one small entry each in SUPERVISORS, and how one is run.

To add a peer, add an entry: a command line for a Setup, and whatever its reload signal is. A peer that
passes its sockets in another way needs a worker which understands it; name it as Adapter.worker.
"""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 20  # seconds until something that should have happened is an error


class Failed(Exception):
    """A measurement that could not be made: one line for the report."""


@dataclass
class Programs:
    """Everything that was built."""

    build: Path

    @property
    def graced(self) -> Path:
        return self.build / "supervisor/graced"

    @property
    def exporter(self) -> Path:
        return self.build / "supervisor/graced-exporter"

    @property
    def load(self) -> Path:
        return self.build / "tests/load/graced-load"

    @property
    def probe(self) -> Path:
        return self.build / "tests/bench/bench-probe"

    @property
    def datagrams(self) -> Path:
        return self.build / "tests/bench/bench-datagrams"

    @property
    def floor(self) -> Path:
        return self.build / "tests/bench/bench-floor"

    @property
    def workers(self) -> dict[str, Path]:
        found = {
            "tiny": self.build / "tests/bench/bench-worker",
            "example": self.build / "child-sdk/example-http-server",
        }
        return {name: path for name, path in found.items() if path.exists()}


@dataclass
class Setup:
    """What a supervisor is asked to do, and where it may put its files."""

    programs: Programs
    directory: Path
    worker: Path
    sockets: int = 1
    workers: int = 1
    ports: list[int] = field(default_factory=list)


def floor_command(s: Setup) -> list[str]:
    listen = [word for port in s.ports for word in ("-l", str(port))]
    return [str(s.programs.floor), *listen, "-w", str(s.workers), str(s.worker)]


def graced_command(s: Setup) -> list[str]:
    listen = [word for port in s.ports for word in ("-l", f"127.0.0.1:{port}")]
    control = ["--name", s.directory.name, "--control", str(s.directory / "control")]
    return [str(s.programs.graced), "run", *control, *listen, "-w", str(s.workers), "--", str(s.worker)]


@dataclass(frozen=True)
class Adapter:
    command: Callable[[Setup], list[str]]
    available: Callable[[Programs], bool]


SUPERVISORS = {
    "floor": Adapter(floor_command, lambda p: p.floor.exists()),
    "graced": Adapter(graced_command, lambda p: p.graced.exists()),
}


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below those the kernel hands out to clients."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as range_file:
        first_of_clients = int(range_file.read().split()[0])
    candidates = list(range(10_000, max(12_000, first_of_clients)))
    random.shuffle(candidates)
    ports: list[int] = []
    for port in candidates:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise Failed(f"no {count} free ports")


def adopt_orphans() -> None:
    """Workers that outlive a crashed supervisor become ours, so that they can be ended too."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def end_orphans() -> None:
    """Kills and reaps whatever is still our child: everything here started it."""
    limit = time.monotonic() + PATIENCE
    while (left := children_of(os.getpid())) and time.monotonic() < limit:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass


class Running:
    """A supervisor at work, from its first answer to its last process. A context manager."""

    def __init__(self, name: str, programs: Programs, worker: str, sockets: int = 1, workers: int = 1):
        self.name = name
        self.programs = programs
        self.setup = new_setup(programs, worker, sockets, workers)
        self.process: subprocess.Popen | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.setup.ports[-1]}"

    def __enter__(self) -> "Running":
        self.log = open(self.setup.directory / "log", "w+b")
        self.process = subprocess.Popen(
            SUPERVISORS[self.name].command(self.setup), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        try:
            self._wait_until(lambda: len(children_of(self.pid)) == self.setup.workers and self._answers())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        process = self.process
        if process is not None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
        shutil.rmtree(self.setup.directory, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.setup.ports[-1]), PATIENCE) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return s.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def _wait_until(self, true: Callable[[], bool]) -> None:
        limit = time.monotonic() + PATIENCE
        while not true():
            if self.process is None or self.process.poll() is not None:
                raise Failed(f"{self.name} ended: {self.last_words()}")
            if time.monotonic() > limit:
                raise Failed(f"{self.name} is not where it should be after {PATIENCE} s: {self.last_words()}")
            time.sleep(0.005)

    def last_words(self) -> str:
        text = (self.setup.directory / "log").read_text(errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"

    def settle(self) -> None:
        """Until only the serving workers are there: what drains has left and is reaped."""
        self._wait_until(lambda: len(children_of(self.pid)) == self.setup.workers)

    def probe(self, *words: object) -> dict:
        """bench-probe about this supervisor: probe("reload", TIMES), probe("back-to-back", SECONDS, UNTIL)."""
        return run_probe(self.programs, words[0], self.pid, self.target, *words[1:])


def new_setup(programs: Programs, worker: str, sockets: int, workers: int) -> Setup:
    # In memory, as /run is where graced has its sockets: elsewhere the file system is measured along.
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=memory if os.access(memory, os.W_OK) else None))
    return Setup(programs, directory, programs.workers[worker], sockets, workers, free_ports(sockets))


def run_probe(programs: Programs, *words: object) -> dict:
    done = subprocess.run([str(programs.probe), *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"bench-probe {words[0]}: exit status {done.returncode}")
    # A supervisor that was started by the probe shares its stdout: the result is the last line.
    return json.loads(done.stdout.splitlines()[-1])


def cold_start(name: str, programs: Programs, worker: str, sockets: int = 1, workers: int = 1) -> float:
    """Milliseconds from exec to the first answer; the supervisor is stopped again."""
    setup = new_setup(programs, worker, sockets, workers)
    try:
        command = SUPERVISORS[name].command(setup)
        return run_probe(programs, "start", f"127.0.0.1:{setup.ports[-1]}", *command)["answer_ms"]
    finally:
        shutil.rmtree(setup.directory, ignore_errors=True)
