"""What public.py measured, as markdown for a README and as a chart for a talk."""

import shutil
import subprocess

from public import median


def short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def rounds(found: dict, mode: str, when: str) -> list[dict]:
    return [r[mode][when] for r in found.get("load", [])]


def total(runs: list[dict], key: str) -> int:
    return sum(run[key] for run in runs)


def kinds(runs: list[dict]) -> str:
    """Without what keep-alive clients try again by themselves."""
    counted: dict[str, int] = {}
    for run in runs:
        for kind, n in run["failures"].items():
            if kind != "reused_eof":
                counted[kind] = counted.get(kind, 0) + n
    return ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted(counted.items(), key=lambda p: -p[1])) or "0"


def latency(runs: list[dict], which: str) -> float:
    return median([run["latency_ms"][which] for run in runs])


def row(*cells: object) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"


def bold(name: str) -> str:
    return f"**{name}**" if name == "graced" else name


def beside_floor(value: float | None, floor: float | None) -> str:
    """A time, and how many times the floor's it is."""
    if value is None:
        return "—"
    return f"{short(value)} (×{short(value / floor)})" if floor else short(value)


def table(head: list[str], rows: list[list], numbers: int = 99) -> list[str]:
    """The last so many columns are numbers. Nothing where there are no rows."""
    if not rows:
        return []
    words = max(1, len(head) - numbers)
    return ["", row(*head), row(*["---"] * words, *["---:"] * (len(head) - words)), *(row(*cells) for cells in rows)]


def load_table(results: dict) -> list[str]:
    def p99(found: dict, when: str) -> float | None:
        runs = rounds(found, "short", when)
        return latency(runs, "p99") if runs else None

    rows, floor = [], results.get("floor", {})
    for name, found in results.items():
        busy, kept = rounds(found, "short", "reloads"), rounds(found, "keep-alive", "reloads")
        if not busy:
            continue
        asked, seen = total(busy, "asked") + total(kept, "asked"), total(busy, "processes") + total(kept, "processes") - len(busy + kept)
        times = [beside_floor(p99(found, when), p99(floor, when) if name != "floor" else None) for when in ("calm", "reloads")]
        rows.append([bold(name), found["worker"], f"{asked}, {seen} seen" if seen < asked else asked,
                     total(busy, "requests") + total(kept, "requests"), kinds(busy), kinds(kept), *times,
                     short(max(r["latency_ms"]["max"] for r in busy))])
    return table(["", "serves", "reloads", "requests", "failed: a connection each", "failed: keep-alive", "p99 calm, ms", "p99 reloading, ms",
                  "worst, ms"], rows, 7)


def times_table(c: dict, results: dict) -> list[str]:
    def middle(found: dict, key: str) -> float | None:
        return median(found[key]) if found.get(key) else None

    rows = []
    for name, found in results.items():
        cells = [beside_floor(middle(found, key), middle(results["floor"], key) if name != "floor" and "floor" in results else None)
                 for key in ("start_ms", "reload_ms")]
        rows.append([bold(name), *cells, found.get("wake_ups", "—")])
    return table(["", "start to first answer, ms", "reload to first new answer, ms", f"wake-ups in {c.get('idle', 10):g} idle s"], rows)


def growth_table(results: dict) -> list[str]:
    rows = []
    for name, found in results.items():
        if grown := found.get("growth"):
            again = f", {grown['asked_again']} asked twice" if grown["asked_again"] else ""
            before, after = grown["before"], grown["after"]
            rows.append([bold(name), f"{grown['reloads']}{again}",
                         *(f"{before[k]} {after[k] - before[k]:+d}" for k in ("pss_kb", "uss_kb", "fds", "threads"))])
    return table(["", "reloads", "PSS, kB, and grown", "USS, kB, and grown", "descriptors, and grown", "threads, and grown"], rows)


def boot_table(results: dict) -> list[str]:
    seconds = sorted({slow["seconds"] for found in results.values() for slow in found.get("slow_boot", [])})
    rows = []
    for name, found in results.items():
        if by := {slow["seconds"]: slow for slow in found.get("slow_boot", [])}:
            told = {s: f"{slow['failed']} of {slow['requests']}, {short(slow['max_ms'])} ms" for s, slow in by.items()}
            rows.append([bold(name), *(told.get(s, "—") for s in seconds)])
    return table(["failed, worst", *(f"boots for {s} s" for s in seconds)], rows)


def killed_table(results: dict) -> list[str]:
    yes = {True: "yes", False: "no"}
    rows = [[bold(name), f"{k['failed']} of {k['requests']}", yes[k["worker_alive"]], yes[k["listens"]], yes[k["serves"]]]
            for name, found in results.items() if (k := found.get("killed"))]
    return table(["", "failed requests", "the worker lives on", "somebody listens", "and answers"], rows, 4)


def bad_table(results: dict, how: str) -> list[str]:
    rows = []
    for name, found in results.items():
        if not (bad := found.get("bad_reload", {}).get(how)):
            continue
        words = " ⏎ ".join(line.strip() for line in bad["words"].splitlines()[:4]).replace("|", "\\|")
        rows.append([bold(name), "yes" if bad["still_answers"] else "**no**" + (", it has ended" if bad["ended"] else ""),
                     "none, it was a signal" if bad["exit_status"] is None else bad["exit_status"], words[:240] or "nothing",
                     f"{bad['failed']} of {bad['requests']}"])
    return table(["", "still answers", "the command's exit status", "what it says", "failed requests"], rows, 1)


def scale_table(measured: list[dict]) -> list[str]:
    rows = [[m["measure"], *(short(m["values"][n]) if n in m["values"] else "—" for n in ("floor", "graced")),
             short(m["values"]["graced"] / m["values"]["floor"]) if len(m["values"]) == 2 else "—"] for m in measured]
    return table(["", "floor, ms", "graced, ms", "graced ÷ floor"], rows)


def harness_table(seen: list[dict]) -> list[str]:
    rows = []
    for kept in False, True:
        for harness in "wrk", "graced-load":
            runs = [s for s in seen if s["harness"] == harness and s["kept"] == kept]
            if runs:
                rows.append([f"{harness}, {'keep-alive' if kept else 'a connection each'}",
                             *(total(runs, k) for k in ("reloads", "requests", "failed")),
                             *(short(median([r[k] for r in runs])) for k in ("p50_ms", "p99_ms"))])
    return table(["", "reloads", "requests", "failed", "p50, ms", "p99, ms"], rows)


INTRO = """# graced beside others

Written by `tests/bench/run --public`; what each entry does is in `tests/bench/peers.py`. Those that serve worker.c supervise the same
worker (`tests/bench/worker.c`), so they differ by the supervisor alone; the others serve the same few bytes themselves. × is how many
times the floor's a figure is: `tests/bench/floor.c` does the least that a supervisor can do. *Reused reset*: a keep-alive connection
was reset under a request, which HTTP clients may not always send again. Server::Starter counts a worker as ready once it has
lived for a second, so one that boots for longer costs waiting; supervisor's restart is a stop and a start. *Seen*: fewer processes
answered than reloads were asked for, as one that comes during another is merged with it, or forgotten.

![failed requests and p99 latency, by supervisor](peers.svg)
"""


def markdown(report: dict) -> str:
    c, results = report["conditions"], report["results"]
    lines = [INTRO, f"{c['machine']}. {c['rate']} requests a second by the clock, a reload every {c['cadence']} s, {c['seconds']} s at a time, "
             f"rounds in turn: {c['rounds']}, {c['date']}" + (f", all of it in {c['took'] / 60:.0f} minutes." if "took" in c else ".")]
    if report["versions"]:
        lines += ["", "Versions: " + ", ".join(f"{n} {v}" for n, v in report["versions"].items()) + "."]
    bad = {"crash": "crashes at once, or to a configuration that cannot be read", "hang": "never gets ready (graced: `--ready-timeout 2s`, "
           "the others as they are)", "missing": "is not there"}
    seen = report.get("harness", [])
    sections = {
        "Reloads under load": ("", load_table(results)),
        "Time, and rest": ("Medians.", times_table(c, results)),
        "A worker that boots slowly": ("One reload under load.", boot_table(results)),
        **{f"A bad reload: {how}": (f"To something that {what}.", bad_table(results, how)) for how, what in bad.items()},
        "SIGKILL of the supervisor": ("Under load, with nobody to start it again, and a look 2 s later. Below systemd graced's "
                                      "sockets are kept and it is started again.", killed_table(results)),
        "Growth of the supervisor": (f"From the 10th reload to the last: number {c.get('reloads', 1000)}, or what "
                                     f"{c.get('patience', 60)} s allow; floor and graced alone, the others at once.", growth_table(results)),
        "Scale": ("With workers a reload counts until the last old process is gone.", scale_table(report.get("scale", []))),
        "Another harness": ("graced with reloads, eight clients without a pause.", harness_table(seen if isinstance(seen, list) else [])),
    }
    for title, (words, rows) in sections.items():
        if rows:
            lines += ["", f"## {title}", *(["", words] if words else []), *rows]
    if isinstance(seen, str):
        lines += ["", f"Another harness: {seen}."]
    missing = [f"{name}, {what}: {why}" for name, found in [("all", report), *results.items()]
               for what, why in found.get("not_measured", {}).items()]
    if missing:
        lines += ["", "Not measured: " + "; ".join(missing) + "."]
    return "\n".join(lines) + "\n"


CHART = """set terminal svg size 900,{height} font 'sans,13' background '#ffffff'
set output '{out}'
set multiplot layout 1,2 title "{title}" font 'sans,15'
set style fill solid 0.9 noborder
set yrange [{rows}-0.4:-0.6]
set ytics ({labels}) nomirror scale 0
set grid x lc rgb '#dddddd'
set border 1
unset key
set lmargin 17
set title "requests failed, of {requests} during reloads"
set logscale x
set xrange [0.6:*]
set xtics nomirror ("0" 0.6, "1" 1, "10" 10, "100" 100, "1000" 1000, "10 000" 10000)
set boxwidth 0.5
plot $data using ($2 > 0 ? $2 : 0.6):0:(0.6):($2 > 0 ? $2 : 0.62):($0-0.28):($0+0.28):5 with boxxyerror lc rgb variable, \\
     $data using ($2 > 0 ? $2*1.15 : 0.7):0:6 with labels left font 'sans,11'
set title "p99 in ms: calm (grey), reloading"
set xrange [*:*]
set xtics nomirror autofreq
set format x "%g"
plot $data using 3:0:({low}):3:($0-0.34):($0-0.02) with boxxyerror lc rgb '#bbbbbb', \\
     $data using 4:0:({low}):4:($0+0.02):($0+0.34):5 with boxxyerror lc rgb variable
"""


def chart(report: dict, out: str) -> bool:
    """An SVG; False where gnuplot is not installed."""
    if shutil.which("gnuplot") is None:
        return False
    c, rows, labels, requests, low = report["conditions"], [], [], 0, 1e9
    for name, found in report["results"].items():
        calm, busy, kept = (rounds(found, *which) for which in (("short", "calm"), ("short", "reloads"), ("keep-alive", "reloads")))
        if not busy:
            continue
        failed = total(busy, "failed") + total(kept, "failed")
        requests = max(requests, total(busy, "requests") + total(kept, "requests"))
        before, after = latency(calm, "p99"), latency(busy, "p99")
        low = min(low, before, after)
        colour = 0x2A7AB0 if name.startswith("graced") else 0xD08A3C
        labels.append(f"\"{name}\" {len(rows)}")
        rows.append(f'"{name}" {failed} {before:.4f} {after:.4f} {colour} "{failed}"')
    script = "$data << EOD\n" + "\n".join(rows) + "\nEOD\n" + CHART.format(
        height=130 + 34 * len(rows), out=out, rows=len(rows), labels=", ".join(labels), requests=requests, low=f"{low * 0.7:.5f}",
        title=f"A reload every {c['cadence']} s under {c['rate']} requests a second")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return True
