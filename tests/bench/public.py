"""The measures for everybody: what clients see of reloads, what a reload takes, what bad ones do, and what is left
when the supervisor is killed. All peers take turns in each round; medians, failures by kind, and every raw number."""

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from load import Load
from measures import SHAPES, Bench, Size, scale, switches
from peers import PEERS, Peer
from supervisors import PATIENCE, Failed, Programs


@dataclass
class Conditions:
    programs: Programs
    names: list[str]
    rounds: int
    quick: bool
    rate: int = 500  # requests a second, by the clock: latency counts from when each was due
    cadence: float = 0.5  # seconds from one reload to the next, unless it takes longer

    def __post_init__(self):
        self.seconds: float = 1.5 if self.quick else 3  # of load
        self.reloads, self.patience = (100, 10) if self.quick else (1000, 60)  # for growth: so many, or so many seconds
        self.idle: float = 3 if self.quick else 10
        self.boots = [0, 1] if self.quick else [0, 1, 5]


def load_on(peer: Peer, conditions: Conditions, *more: str, paced: bool = True) -> Load:
    pace = ["--rate", str(conditions.rate)] if paced else []
    return Load(conditions.programs.load, peer.target, *pace, "--time", "600", "--timeout", "5s", *more)


def keep_reloading(peer: Peer, conditions: Conditions, seconds: float, reloading: bool = True) -> int:
    end, asked = time.monotonic() + seconds, 0
    while (now := time.monotonic()) < end:
        if reloading:
            peer.reload()
            asked += 1
        time.sleep(max(0.0, min(end, now + conditions.cadence) - time.monotonic()))
    return asked


def loaded(peer: Peer, conditions: Conditions, reloading: bool, *more: str) -> dict:
    """Load for a while, with reloads or without."""
    with load_on(peer, conditions, *more) as load:
        asked = keep_reloading(peer, conditions, conditions.seconds, reloading)
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


def reload_latency(name: str, conditions: Conditions) -> list[float]:
    """From asking to the first answer of a new process."""
    took = []
    with PEERS[name](conditions.programs) as peer:
        for _ in range(2 if conditions.quick else 5):
            peer.settle()
            old = peer.ask()
            begun = time.perf_counter()
            asking = threading.Thread(target=peer.reload)
            asking.start()
            try:
                peer.await_answer(old, 0)
                took.append((time.perf_counter() - begun) * 1000)
            finally:
                asking.join()
    return took


def slow_boot(name: str, conditions: Conditions, seconds: int) -> dict:
    """One reload to a worker that needs so long before it can accept."""
    with PEERS[name](conditions.programs) as peer:
        peer.settle()
        peer.boot(seconds * 1000)
        with load_on(peer, conditions) as load:
            time.sleep(0.5)
            peer.reload()
            time.sleep(seconds + 1.5)
            seen = load.result()
    return {"seconds": seconds, "failed": seen["failed"], "requests": seen["requests"], "max_ms": seen["latency_ms"]["max"]}


def growth(name: str, conditions: Conditions) -> dict:
    """Of the supervisor alone, from its 10th reload to the last that time allows."""
    with PEERS[name](conditions.programs) as peer:
        end, done = time.monotonic() + conditions.patience, 0

        def reload() -> None:
            old = peer.ask()
            peer.reload()
            peer.await_answer(old, 0)
            if peer.again < PATIENCE:
                peer.settle()

        for _ in range(10):
            reload()
        time.sleep(1)
        before = Size.of(peer.pid)
        while done < conditions.reloads - 10 and time.monotonic() < end:
            reload()
            done += 1
        time.sleep(1)
        after = Size.of(peer.pid)
    return {"reloads": 10 + done, "asked_again": peer.asked_again, "before": vars(before), "after": vars(after)}


def wake_ups(conditions: Conditions, names: list[str]) -> dict[str, int | str]:
    """Of each supervisor's threads, all idle beside each other; why not, where it cannot be told."""
    found: dict[str, int | str] = {}
    with ExitStack() as stack:
        peers = {}
        for name in names:
            try:
                peers[name] = stack.enter_context(PEERS[name](conditions.programs))
            except (Failed, OSError) as why:
                found[name] = str(why)
        time.sleep(3)  # the start itself is over
        before = {name: switches(peer.pid) for name, peer in peers.items()}
        time.sleep(conditions.idle)
        return found | {name: switches(peer.pid) - before[name] for name, peer in peers.items() if peer.process.poll() is None}


def killed(name: str, conditions: Conditions) -> dict:
    """The supervisor, by SIGKILL, with nobody to start it again."""
    with PEERS[name](conditions.programs) as peer:
        peer.settle()
        with load_on(peer, conditions) as load:
            time.sleep(0.5)
            worker = peer.ask()
            peer.kill()
            time.sleep(2)
            stat = Path(f"/proc/{worker}/stat")
            alive = stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
            with socket.socket() as s:
                s.settimeout(2)
                listens = s.connect_ex(("127.0.0.1", peer.port)) == 0
            serves = peer.ask() != 0
            seen = load.result()
    return {"failed": seen["failed"], "requests": seen["requests"], "worker_alive": alive, "serves": serves, "listens": listens}


def bad_reload(name: str, conditions: Conditions, how: str) -> dict:
    """To an application that crashes at once, hangs or is not there, or to a configuration that cannot be read."""
    with PEERS[name](conditions.programs, **({"GRACED_READY_TIMEOUT": "2s"} if how == "hang" else {})) as peer:
        peer.settle()
        peer.spoil(how)
        with load_on(peer, conditions) as load:
            time.sleep(0.3)
            begun, told, status, words = time.monotonic(), None, None, ""
            try:
                if told := peer.reload():
                    status, words = told.returncode, told.stderr.strip() or told.stdout.strip()
            except subprocess.TimeoutExpired as e:
                status, words = "it has not come back", f"nothing in {e.timeout:.0f} s"
            time.sleep(max(0.0, 4 - (time.monotonic() - begun)))
            still = peer.ask() != 0
            ended = peer.process.poll() is not None
            seen = load.result()
        words = re.sub(r"\x1b\[[0-9;]*m", "", words)[:600]
        return {"failed": seen["failed"], "requests": seen["requests"], "still_answers": still, "ended": ended,
                "exit_status": status, "words": words}


WRK_SECONDS = 3  # it counts whole ones
MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}


def by_wrk(peer: Peer, conditions: Conditions, kept: bool) -> dict:
    header = [] if kept else ["-H", "Connection: close"]
    command = ["wrk", "-t1", "-c8", f"-d{WRK_SECONDS}s", "--timeout", "5s", "--latency", *header, f"http://{peer.target}/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        asked = keep_reloading(peer, conditions, WRK_SECONDS)
        said = process.communicate(timeout=30)[0]
    requests = re.search(r"(\d+) requests in", said)
    p50, p99 = (re.search(rf"{n}%\s+([\d.]+)([a-z]+)", said) for n in (50, 99))
    if not (requests and p50 and p99):
        raise Failed(f"wrk says {said.strip()[-200:] or 'nothing'}")
    failed = re.findall(r"(?:connect|read|write|timeout|responses:) (\d+)", said)
    return {"reloads": asked, "requests": int(requests[1]), "failed": sum(map(int, failed)),
            "p50_ms": float(p50[1]) * MS[p50[2]], "p99_ms": float(p99[1]) * MS[p99[2]]}


def by_ours(peer: Peer, conditions: Conditions, kept: bool) -> dict:
    with load_on(peer, conditions, "--clients", "8", *(["--keep-alive"] if kept else []), paced=False) as load:
        asked = keep_reloading(peer, conditions, WRK_SECONDS)
        seen = load.result()
    return {"reloads": asked, "requests": seen["requests"], "failed": seen["failed"], "p50_ms": seen["latency_ms"]["p50"],
            "p99_ms": seen["latency_ms"]["p99"]}


def another_harness(conditions: Conditions) -> list[dict]:
    """Does wrk see of graced what graced-load sees? Eight clients without a pause, both ways, in turn."""
    found = []
    for kept in False, True:
        for _ in range(conditions.rounds):
            for harness, once in ("wrk", by_wrk), ("graced-load", by_ours):
                with PEERS["graced"](conditions.programs) as peer:
                    found.append({"harness": harness, "kept": kept} | once(peer, conditions, kept))
    return found


WORKER_C = ("floor", "graced", "Server::Starter", "supervisor")  # those that run worker.c, which can be slow


def measure(conditions: Conditions, report: dict, tell: Callable[[str], None], keep: Callable[[], None]) -> None:
    """Fills the report, which is kept after each step. What fails costs the others nothing."""
    report["results"] = found = {name: {"worker": PEERS[name].worker, "not_measured": {}} for name in conditions.names}
    report["not_measured"] = {}

    def safely(what: str, missed: dict[str, str], once: Callable[[], object], kept: bool = True) -> None:
        tell(what)
        try:
            once()
        except Exception as why:  # whatever it is: the other results are worth more
            missed[what.partition(":")[0]] = f"{type(why).__name__}: {why}" if not isinstance(why, Failed) else str(why)
        if kept:
            keep()

    def each(what: str, names: list[str], once: Callable[[str, dict], object], beside: int = 1) -> None:
        """`beside`: so many at once, where counts matter and time does not."""
        with ThreadPoolExecutor(beside) as threads:
            list(threads.map(
                lambda n: safely(f"{what}: {n}", found[n]["not_measured"], lambda: once(n, found[n]), kept=beside == 1), names))
        keep()  # only now where others were still writing into it

    for round_number in range(conditions.rounds):
        names = conditions.names if round_number % 2 == 0 else conditions.names[::-1]
        each("load", names, lambda n, f: f.setdefault("load", []).append(under_load(n, conditions)))
        each("start", names, lambda n, f: f.setdefault("start_ms", []).extend(cold_start(n, conditions) for _ in range(2)))
        each("reload", names, lambda n, f: f.setdefault("reload_ms", []).extend(reload_latency(n, conditions)))
    for seconds in conditions.boots:
        each(f"boot of {seconds} s", [n for n in conditions.names if n in WORKER_C],
             lambda n, f: f.setdefault("slow_boot", []).append(slow_boot(n, conditions, seconds)))
    each("SIGKILL", conditions.names, lambda n, f: f.update(killed=killed(n, conditions)))
    for how in "crash", "hang", "missing":
        each(f"bad reload, {how}", [n for n in conditions.names if how in PEERS[n].spoils],
             lambda n, f: f.setdefault("bad_reload", {}).update({how: bad_reload(n, conditions, how)}), beside=5)

    def idle() -> None:
        for name, woken in wake_ups(conditions, conditions.names).items():
            found[name]["wake_ups" if isinstance(woken, int) else "not_measured"] = woken if isinstance(woken, int) else {
                **found[name]["not_measured"], "wake-ups": woken}

    safely("wake-ups", report["not_measured"], idle)
    both = [n for n in ("floor", "graced") if n in conditions.names]  # quick, and alone: what another runs too is shared
    each("growth", both, lambda n, f: f.update(growth=growth(n, conditions)))
    others = [n for n in conditions.names if n not in both]
    each("growth", others, lambda n, f: f.update(growth=growth(n, conditions)), beside=max(1, len(others)))

    pair = Bench(conditions.programs, both, 1 if conditions.quick else 5, 0, 0, 0)
    report["scale"] = []
    for shape in SHAPES if both else []:
        safely(f"scale {shape}", report["not_measured"], lambda: report["scale"].extend(
            {"measure": row.measure, "values": row.values, "raw": row.raw} for row in scale(pair, shape)))
    if shutil.which("wrk") is None:
        report["harness"] = "wrk is not installed"
    elif "graced" in conditions.names:
        safely("wrk", report["not_measured"], lambda: report.update(harness=another_harness(conditions)))


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
