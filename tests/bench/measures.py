"""What is measured. Each measure sees all supervisors in turn, so that a slow minute of the machine
hits them all, and gives medians with the raw numbers behind them."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import looking
from load import Load
from supervisors import Failed, Programs, Running, cold_start

RATE = 2000  # requests a second behind reloads


@dataclass
class Row:
    """One line of the table. `values` by supervisor; the target speaks of graced alone."""

    measure: str
    unit: str
    values: dict[str, float]
    target: str
    met: Callable[[dict[str, float]], bool]
    raw: dict[str, list] = field(default_factory=dict)
    alone: bool = False  # no other supervisor has that


def at_most(times: float) -> tuple[str, Callable[[dict[str, float]], bool]]:
    return f"≤ {times} × floor", lambda v: v["graced"] <= times * v["floor"]


def at_least(times: float) -> tuple[str, Callable[[dict[str, float]], bool]]:
    return f"≥ {times} × floor", lambda v: v["graced"] >= times * v["floor"]


def below(limit: float, text: str) -> tuple[str, Callable[[dict[str, float]], bool]]:
    return text, lambda v: v["graced"] <= limit


@dataclass
class Bench:
    programs: Programs
    names: list[str]
    repetitions: int  # of the short measures; the long ones take a fraction
    reloads: int  # for growth: the second look is after so many
    idle_seconds: float
    busy_seconds: float

    def running(self, stack: ExitStack, worker: str, **shape: int) -> dict[str, Running]:
        return {n: stack.enter_context(Running(n, self.programs, worker, **shape)) for n in self.names}

    def in_turn(self, times: int, measure: Callable[[str], float]) -> dict[str, list[float]]:
        """Pairs in alternating order: first one then the other leads."""
        raw: dict[str, list[float]] = {name: [] for name in self.names}
        for i in range(times):
            for name in self.names if i % 2 == 0 else reversed(self.names):
                raw[name].append(measure(name))
        return raw


def medians(raw: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in raw.items()}


def start_row(bench: Bench, worker: str, what: str, times: int, **shape: int) -> Row:
    raw = bench.in_turn(times, lambda name: cold_start(name, bench.programs, worker, **shape))
    return Row(f"start to first answer, {what}", "ms", medians(raw), *at_most(1.5), raw=raw)


def reload_row(bench: Bench, worker: str, what: str, times: int, limit: float, until: str, **shape: int) -> Row:
    with ExitStack() as stack:
        running = bench.running(stack, worker, **shape)

        def once(name: str) -> float:
            took = running[name].probe("reload", 1)[f"{until}_ms"][0]
            running[name].settle()
            return took

        raw = bench.in_turn(times, once)
    to = "first answer of a new PID" if until == "answer" else "last old process gone"
    return Row(f"reload to {to}, {what}", "ms", medians(raw), *at_most(limit), raw=raw)


def start(bench: Bench) -> list[Row]:
    return [start_row(bench, worker, f"{worker} worker", bench.repetitions) for worker in bench.programs.workers]


def reload(bench: Bench) -> list[Row]:
    return [
        reload_row(bench, worker, f"{worker} worker", bench.repetitions, 1.25, "answer")
        for worker in bench.programs.workers
    ]


def under_load(running: Running, *mode: str) -> Load:
    return Load(running.programs.load, running.target, "--rate", str(RATE), "--time", "300", *mode)


def back_to_back(bench: Bench) -> list[Row]:
    rows = []
    times = max(1, bench.repetitions // 10)
    for until in "answer", "gone":
        for mode in [], ["--keep-alive", "--clients", "64"]:
            if until == "gone" and mode:
                continue  # how long idle connections keep an old process is the worker's doing
            failed = {name: [] for name in bench.names}
            kinds: dict[str, list] = {name: [] for name in bench.names}
            p99 = {name: [] for name in bench.names}
            with ExitStack() as stack:
                running = bench.running(stack, "tiny")

                def once(name: str) -> float:
                    with under_load(running[name], *mode) as load:
                        done = running[name].probe("back-to-back", bench.busy_seconds, until)
                        seen = load.result()
                    failed[name].append(seen["failed"])
                    kinds[name].append({kind: n for kind, n in seen["failures"].items() if n} | {"unasked": seen["unasked"]})
                    p99[name].append(seen["latency_ms"]["p99"])
                    running[name].settle()
                    return done["per_second"]

                raw = bench.in_turn(times, once)
            what = "keep-alive" if mode else "a connection for each"
            when = "as soon as a new PID answers" if until == "answer" else "once the old PID is gone"
            rows.append(Row(f"reloads under {RATE} requests/s, {what}, next {when}", "/s", medians(raw), *at_least(0.9), raw=raw))
            failures = {name: float(sum(values)) for name, values in failed.items()}
            rows.append(Row("… requests failed", "", failures, *below(0, "0"), raw=kinds))
            rows.append(Row("… latency p99", "ms", medians(p99), "", lambda v: True, raw=p99))
    return rows


def many(bench: Bench) -> list[Row]:
    some = max(3, bench.repetitions // 3)
    return [
        start_row(bench, "tiny", "100 sockets", some, sockets=100),
        reload_row(bench, "tiny", "100 sockets", some, 1.5, "answer", sockets=100),
        start_row(bench, "tiny", "64 workers", some, workers=64),
        reload_row(bench, "tiny", "64 workers", some, 1.5, "gone", workers=64),
        reload_row(bench, "tiny", "100 sockets and 64 workers", some, 1.5, "gone", sockets=100, workers=64),
    ]


SHAPES = [{"sockets": n} for n in (1, 100, 1000)] + [{"workers": n} for n in (1, 16, 64, 256)]


def scale(bench: Bench, shape: dict[str, int]) -> list[Row]:
    what = ", ".join(f"{n} {things if n > 1 else things[:-1]}" for things, n in shape.items())
    until = "gone" if "workers" in shape else "answer"
    times = bench.repetitions
    return [start_row(bench, "tiny", what, times, **shape), reload_row(bench, "tiny", what, times, 1.5, until, **shape)]


@dataclass
class Size:
    """What a process holds right now."""

    rss_kb: int
    pss_kb: int
    uss_kb: int
    fds: int
    threads: int
    zombies: int

    @staticmethod
    def of(pid: int) -> "Size":
        rollup = {}
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            key, value = line.split(":")
            rollup[key] = int(value.split()[0])
        zombies = 0
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            stat = Path(f"/proc/{child}/stat").read_text()
            zombies += stat.rpartition(")")[2].split()[0] == "Z"
        return Size(
            rollup["Rss"],
            rollup["Pss"],
            rollup["Private_Clean"] + rollup["Private_Dirty"],
            len(list(Path(f"/proc/{pid}/fd").iterdir())),
            len(list(Path(f"/proc/{pid}/task").iterdir())),
            zombies,
        )


def switches(pid: int) -> int:
    """How often its threads were put on a processor again: every wake-up is one."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total


def rest(bench: Bench) -> list[Row]:
    with ExitStack() as stack:
        running = bench.running(stack, "tiny")
        time.sleep(1)  # at rest: the start itself is over
        before = {name: switches(r.pid) for name, r in running.items()}
        time.sleep(bench.idle_seconds)
        woken = {name: float(switches(r.pid) - before[name]) for name, r in running.items()}
        sizes = {name: Size.of(r.pid) for name, r in running.items()}
    return [
        Row("PSS at rest", "kB", {n: s.pss_kb for n, s in sizes.items()}, *below(2500, "≤ 2500 kB, 2000 the aim")),
        Row("USS at rest", "kB", {n: s.uss_kb for n, s in sizes.items()}, "", lambda v: True),
        Row(f"wake-ups in {bench.idle_seconds:g} idle seconds", "", woken, *below(0, "0")),
    ]


def growth(bench: Bench) -> list[Row]:
    first = bench.reloads // 10
    grown: dict[str, dict[str, float]] = {}
    raw: dict[str, list] = {}
    failed = {}
    kinds: dict[str, list] = {}
    with ExitStack() as stack:
        for name, r in bench.running(stack, "tiny").items():
            with under_load(r) as load:
                r.probe("reload", first)
                r.settle()
                before = Size.of(r.pid)
                r.probe("reload", bench.reloads - first)
                r.settle()
                after = Size.of(r.pid)
                seen = load.result()
                failed[name] = float(seen["failed"])
                kinds[name] = [seen["failures"]]
            grown[name] = {key: float(value - getattr(before, key)) for key, value in vars(after).items()}
            raw[name] = [vars(before), vars(after)]
    units = {"rss_kb": "kB", "pss_kb": "kB", "uss_kb": "kB"}
    rows = [
        Row(
            f"growth between reload {first} and {bench.reloads}: {key.removesuffix('_kb')}",
            units.get(key, ""),
            {name: values[key] for name, values in grown.items()},
            *below(0, "0"),
            raw=raw,
        )
        for key in ("rss_kb", "pss_kb", "uss_kb", "fds", "threads", "zombies")
    ]
    rows.append(Row(f"failed requests in {bench.reloads} reloads under {RATE} requests/s", "", failed, *below(0, "0"), raw=kinds))
    return rows


def datagrams(bench: Bench) -> list[Row]:
    """Without a supervisor: the kernel's program for UDP, beside none."""
    ended = subprocess.run([bench.programs.datagrams, "1000000"], capture_output=True, text=True)
    if ended.returncode != 0:
        raise Failed(ended.stderr.strip())
    took = json.loads(ended.stdout)
    return [
        Row(what, "ns", {"floor": took["no_program"], "graced": took[how]}, "", lambda v: True)
        for what, how in (
            ("CPU of a datagram over loopback, flows remembered", "flows"),
            ("CPU of a datagram over loopback, no flow remembered", "no_flows"),
        )
    ]


MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "start": start,
    "reload": reload,
    "back-to-back": back_to_back,
    "many": many,
    "rest": rest,
    "growth": growth,
    "datagrams": datagrams,
    "list": looking.listed,
    "scrape": looking.scrape,
    "top": looking.top,
}

__all__ = ["Bench", "Failed", "MEASURES", "Row", "SHAPES", "Size", "scale", "switches"]
