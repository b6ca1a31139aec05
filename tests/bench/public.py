"""The measures for everybody: what clients see of reloads, what a reload takes, what a bad one does. All peers
take turns in each round; medians, failures by kind, and every raw number."""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from measures import Size
from peers import PEERS, Peer
from supervisors import Failed, Programs


@dataclass
class Conditions:
    programs: Programs
    names: list[str]
    rounds: int = 2
    rate: int = 500  # requests a second, by the clock: latency counts from when each was due
    seconds: float = 6  # of load
    cadence: float = 0.5  # seconds from one reload to the next, unless it takes longer
    reloads: int = 50  # for growth


class Load:
    def __init__(self, peer: Peer, conditions: Conditions, *more: str):
        self.process = subprocess.Popen(
            [str(conditions.programs.load), "--rate", str(conditions.rate), "--time", "600", "--timeout", "5s", "--expect", "pid ",
             *more, peer.target], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def result(self) -> dict:
        self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.communicate()[0].splitlines()[-1])


def loaded(peer: Peer, conditions: Conditions, reloading: bool, *more: str) -> dict:
    """Load for a while, with reloads or without."""
    load = Load(peer, conditions, *more)
    end, asked = time.monotonic() + conditions.seconds, 0
    while (now := time.monotonic()) < end:
        if reloading:
            peer.reload()
            asked += 1
        time.sleep(max(0.0, min(end, now + conditions.cadence) - time.monotonic()))
    seen = load.result()
    if reloading:
        peer.await_answer()
    return {"asked": asked, "processes": len(seen["pids"]), "requests": seen["requests"], "failed": seen["failed"],
            "failures": {kind: n for kind, n in seen["failures"].items() if n}, "latency_ms": seen["latency_ms"]}


def under_load(name: str, conditions: Conditions) -> dict:
    modes = {"short": [], "keep-alive": ["--keep-alive", "--clients", "64"]}
    found = {}
    for mode, words in modes.items():
        with PEERS[name](conditions.programs) as peer:
            loaded_once = {"calm": loaded(peer, conditions, False, *words), "reloads": loaded(peer, conditions, True, *words)}
        found[mode] = loaded_once
    return found


def cold_start(name: str, conditions: Conditions) -> float:
    peer = PEERS[name](conditions.programs)
    begun = time.perf_counter()
    with peer:
        return (time.perf_counter() - begun) * 1000


def reload_latency(name: str, conditions: Conditions, times: int = 5) -> list[float]:
    """From asking to the first answer of a new process."""
    took = []
    with PEERS[name](conditions.programs) as peer:
        time.sleep(1.5)  # some count a process as started only then
        for _ in range(times):
            old = peer.ask()
            begun = time.perf_counter()
            asking = threading.Thread(target=peer.reload)
            asking.start()
            peer.await_answer(old, 0)
            took.append((time.perf_counter() - begun) * 1000)
            asking.join()
            time.sleep(1.5)  # and until the old one is gone
    return took


def slow_boot(name: str, conditions: Conditions) -> dict:
    """One reload to a worker that needs 2 s before it can accept."""
    with PEERS[name](conditions.programs, boot_ms=2000) as peer:
        load = Load(peer, conditions)
        time.sleep(1)
        peer.reload()
        time.sleep(4)
        seen = load.result()
    return {"failed": seen["failed"], "max_ms": seen["latency_ms"]["max"]}


def growth(name: str, conditions: Conditions) -> dict:
    """Of the supervisor alone, between its 10th reload and the last."""
    with PEERS[name](conditions.programs) as peer:
        def reload(times: int) -> None:
            for _ in range(times):
                old = peer.ask()
                peer.reload()
                peer.await_answer(old, 0)
                time.sleep(0.1)  # haproxy forgets what it is asked too soon

        reload(10)
        time.sleep(1)
        before = Size.of(peer.pid)
        reload(conditions.reloads - 10)
        time.sleep(1)
        after = Size.of(peer.pid)
    return {"pss_kb": [before.pss_kb, after.pss_kb], "fds": [before.fds, after.fds]}


def bad_reload(name: str, conditions: Conditions) -> dict:
    """To an application that crashes at once, or a configuration that cannot be read."""
    with PEERS[name](conditions.programs) as peer:
        time.sleep(1.5)
        peer.spoil()
        load = Load(peer, conditions)
        time.sleep(0.3)
        begun = time.monotonic()
        told = peer.reload()
        time.sleep(max(0.0, 4 - (time.monotonic() - begun)))
        seen = load.result()
        still = peer.ask() != 0
        ended = peer.process.poll() is not None
        words = "" if told is None else re.sub(r"\x1b\[[0-9;]*m", "", told.stderr.strip() or told.stdout.strip())
        return {"failed": seen["failed"], "requests": seen["requests"], "still_answers": still, "ended": ended,
                "exit_status": None if told is None else told.returncode, "words": words[:600]}


ONLY_WORKER = ("floor", "graced", "Server::Starter", "supervisor")  # those that run worker.c, which can be slow


def measure(conditions: Conditions, tell) -> dict:
    found: dict[str, dict] = {name: {"worker": PEERS[name].worker, "not_measured": {}} for name in conditions.names}

    def each(what: str, names: list[str], once) -> None:
        for name in names:
            tell(f"{what}: {name}")
            try:
                once(name, found[name])
            except (Failed, subprocess.TimeoutExpired, OSError, ValueError) as why:
                found[name]["not_measured"][what] = str(why)

    for round_number in range(conditions.rounds):
        names = conditions.names if round_number % 2 == 0 else conditions.names[::-1]
        each("load", names, lambda n, f: f.setdefault("load", []).append(under_load(n, conditions)))
        each("start", names, lambda n, f: f.setdefault("start_ms", []).extend(cold_start(n, conditions) for _ in range(3)))
        each("reload", names, lambda n, f: f.setdefault("reload_ms", []).extend(reload_latency(n, conditions)))
    each("slow boot", [n for n in conditions.names if n in ONLY_WORKER],
         lambda n, f: f.update(slow_boot=slow_boot(n, conditions)))
    each("growth", conditions.names, lambda n, f: f.update(growth=growth(n, conditions)))
    each("bad reload", conditions.names, lambda n, f: f.update(bad_reload=bad_reload(n, conditions)))
    return found


def versions(names: list[str]) -> dict[str, str]:
    """Of what is installed, as its package or itself says."""
    packages = {"Server::Starter": "libserver-starter-perl", "supervisor": "supervisor", "nginx": "nginx", "haproxy": "haproxy",
                "gunicorn": "gunicorn", "uwsgi": "uwsgi-core", "graced + Node": "nodejs"}
    found = {}
    for name in names:
        if name == "pm2":
            package = Path(os.path.realpath(shutil.which("pm2"))).parents[1] / "package.json"  # asking itself starts a daemon
            found[name] = json.loads(package.read_text())["version"]
        elif name in packages:
            said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", packages[name]], capture_output=True, text=True)
            found[name] = said.stdout or "?"
    return found


def median(values: list[float]) -> float:
    return statistics.median(values)


__all__ = ["Conditions", "Path", "measure", "median", "versions"]
