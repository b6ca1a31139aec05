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


def load_table(results: dict) -> list[str]:
    lines = [row("", "serves", "reloads", "requests", "failed: a connection each", "failed: keep-alive", "p99 calm, ms", "p99 reloading, ms",
                 "worst, ms"), row("---", "---", *["---:"] * 7)]
    for name, found in results.items():
        calm, busy = rounds(found, "short", "calm"), rounds(found, "short", "reloads")
        kept = rounds(found, "keep-alive", "reloads")
        if not busy:
            continue
        lines.append(row(f"**{name}**" if name == "graced" else name, found["worker"], total(busy, "asked") + total(kept, "asked"),
                         total(busy, "requests") + total(kept, "requests"), kinds(busy), kinds(kept), short(latency(calm, "p99")),
                         short(latency(busy, "p99")), short(max(r["latency_ms"]["max"] for r in busy))))
    return lines


def figures_table(results: dict) -> list[str]:
    lines = [row("", "start to first answer, ms", "reload to first new answer, ms", "reload to a worker that boots for 2 s: failed, worst",
                 "supervisor's PSS, kB", "… grown after the 10th reload, kB", "descriptors, grown"), row("---", *["---:"] * 6)]
    for name, found in results.items():
        cells = []
        for key in "start_ms", "reload_ms":
            cells.append(short(median(found[key])) if found.get(key) else "—")
        slow = found.get("slow_boot")
        cells.append(f"{slow['failed']}, {short(slow['max_ms'])} ms" if slow else "—")
        if grown := found.get("growth"):
            pss, fds = grown["pss_kb"], grown["fds"]
            cells += [pss[0], f"{pss[1] - pss[0]:+d}", f"{fds[0]}, {fds[1] - fds[0]:+d}"]
        else:
            cells += ["—"] * 3
        lines.append(row(f"**{name}**" if name == "graced" else name, *cells))
    return lines


def bad_table(results: dict) -> list[str]:
    lines = [row("", "failed requests", "still answers", "the command's exit status", "what it says"), row("---", "---:", "---", "---", "---")]
    for name, found in results.items():
        if not (bad := found.get("bad_reload")):
            continue
        words = " ⏎ ".join(line.strip() for line in bad["words"].splitlines()[:4]).replace("|", "\\|")
        lines.append(row(f"**{name}**" if name == "graced" else name, f"{bad['failed']} of {bad['requests']}",
                         "yes" if bad["still_answers"] else "**no**" + (", it has ended" if bad["ended"] else ""),
                         "none, it was a signal" if bad["exit_status"] is None else bad["exit_status"], words[:240] or "nothing"))
    return lines


def markdown(report: dict) -> str:
    c, results = report["conditions"], report["results"]
    lines = [f"{c['machine']}. {c['rate']} requests a second by the clock, a reload every {c['cadence']} s, {c['seconds']} s at a time, "
             f"{c['rounds']} rounds in turn, {c['date']}.", ""]
    if report["versions"]:
        lines += ["Versions: " + ", ".join(f"{n} {v}" for n, v in report["versions"].items()) + ".", ""]
    lines += [*load_table(results), "", *figures_table(results), "", "A reload to something that crashes at once, or to a configuration that "
              "cannot be read:", "", *bad_table(results)]
    missing = [f"{name}, {what}: {why}" for name, found in results.items() for what, why in found["not_measured"].items()]
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
