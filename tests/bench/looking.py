"""What looking at many instances takes: `graced list`, a scrape of graced-exporter, `graced top`; also while some of them hang.
There is nothing to compare it with: the targets speak of graced alone."""

import os
import shutil
import socket
import statistics
import subprocess
import time
from contextlib import ExitStack, contextmanager

from instances import ALONE, Exporter, Instances, used
from supervisors import PATIENCE, Failed

MANY = 50
LIST_LIMIT = 300  # ms
SCRAPE_LIMIT = 500  # ms, of MANY
TIME_LIMIT = 3000  # ms: graced-exporter's own for one look
SLOW_CLIENTS = 1000
TOP_LIMIT = 5  # % of a processor
BETWEEN_LOOKS = 0.25  # seconds: who comes sooner waits for a look that may begin


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            raise Failed(f"{program} is not installed")
    if os.geteuid() != 0 or subprocess.run([*ALONE, "true"], capture_output=True).returncode != 0:
        raise Failed("needs root, for a mount namespace in which nobody else's instances are found")


def names_what_hangs(metrics: str, hung: list[str], count: int) -> None:
    told = [line for line in metrics.splitlines() if line.startswith("graced_unread{") and 'reason="silent"' in line]
    if sorted(told) != [f'graced_unread{{name="{name}",reason="silent"}} 1' for name in hung]:
        raise Failed(f"of {hung}, which hang, it tells {told}")
    up = sum(line.startswith("graced_up{") and line.endswith(" 1") for line in metrics.splitlines())
    if up != count - len(hung):
        raise Failed(f"of {count - len(hung)} instances that are well it has read {up}")


def scraped(exporter: Exporter, hung: list[str], count: int) -> float:
    time.sleep(BETWEEN_LOOKS)
    took, metrics = exporter.scrape()
    names_what_hangs(metrics, hung, count)
    return took


@contextmanager
def slow_clients(exporter: Exporter, count: int):
    """Their requests never end; who comes last is not the first to be closed."""
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", exporter.port), PATIENCE))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        yield


def row(what: str, unit: str, raw: list[float], limit: float, text: str):
    from measures import Row, below

    return Row(what, unit, {"graced": statistics.median(raw)}, *below(limit, text), raw={"graced": raw}, alone=True)


def listed(bench) -> list:
    need()
    if "graced" not in bench.names:
        return []
    with Instances(bench.programs) as instances:
        instances.start(MANY)
        well = [instances.listed() for _ in range(bench.repetitions)]
        with instances.hanging(1):
            hung = [instances.listed() for _ in range(bench.repetitions)]
    return [row(f"graced list, {MANY} instances{what}", "ms", raw, LIST_LIMIT, f"≤ {LIST_LIMIT} ms")
            for what, raw in (("", well), (", of which one hangs", hung))]


def scrape(bench) -> list:
    need()
    if "graced" not in bench.names:
        return []
    times = max(3, bench.repetitions // 3)
    rows = []
    for count, hang, limit in (MANY, 1, SCRAPE_LIMIT), (200, 3, TIME_LIMIT):
        with Instances(bench.programs) as instances:
            instances.start(count)
            first, later = [], []
            with instances.exporter() as exporter:
                well = [scraped(exporter, [], count) for _ in range(times)]
                with slow_clients(exporter, SLOW_CLIENTS):
                    crowded = [scraped(exporter, [], count) for _ in range(times)]
                for _ in range(times):
                    with instances.hanging(hang) as hung:
                        first.append(scraped(exporter, hung, count))
                        later.append(scraped(exporter, hung, count))
                    time.sleep(BETWEEN_LOOKS)
                    exporter.scrape()  # they are well again
        some = "one hangs" if hang == 1 else f"{hang} hang"
        whats = {"": well, f", beside {SLOW_CLIENTS} slow clients": crowded, f", {some} since the last one": first, f", {some} as before": later}
        rows += [row(f"scrape of {count} instances{what}", "ms", raw, limit, f"≤ {limit} ms") for what, raw in whats.items()]
    return rows


def top(bench) -> list:
    need("tmux")
    if "graced" not in bench.names:
        return []
    rows = []
    seconds = 2 * bench.idle_seconds
    with Instances(bench.programs) as instances:
        instances.start(MANY)
        shown = {"24 rows": ([], 24), f"{MANY + 3} rows": ([], MANY + 3), "by cpu": (["--sort", "cpu"], 24)}
        for name, (words, height) in shown.items():
            with instances.top(*words, rows=height) as pid:
                before, begun = (used(pid), instances.used()), time.monotonic()
                time.sleep(seconds)
                took = (time.monotonic() - begun) / 100
                itself, others = (used(pid) - before[0]) / took, (instances.used() - before[1]) / took
            rows.append(row(f"graced top of {MANY} instances, {name}: of a processor", "%", [itself], TOP_LIMIT, f"≤ {TOP_LIMIT} %"))
            rows.append(row("… all instances together", "%", [others], TOP_LIMIT, f"≤ {TOP_LIMIT} %"))
    return rows
