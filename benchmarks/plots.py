"""Draws the results of the other benchmarks as SVG, for the documentation.

    python -m benchmarks.plots [--compare FILE] [--backlog FILE] [--steady FILE] [--folder docs]

Needs matplotlib: `pip install -e '.[bench]'`.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

mpl.rcParams.update({"font.size": 9, "path.simplify": True})
_COLOURS = {"daemon": "#1f6feb", "script": "#8c959f", "floor": "#1a7f37"}
_NAMES = {
    "daemon": "forwarder, durable",
    "script": "plain script, keeps nothing",
    "floor": "floor: what no design can leave out",
}

Results = dict[str, Any]


def draw_latency(results: Results) -> Figure:
    """Return how large a share of events was delivered within how many milliseconds."""
    figure, axes = _figure(6.4, 3.2)
    for subject, latencies in results["latencies_ms"].items():
        within = statistics.quantiles(latencies, n=500)
        axes.plot(
            within, [at / 5 for at in range(1, 500)], color=_COLOURS[subject], label=_NAMES[subject], linewidth=1.8
        )
    axes.set_xscale("log")
    ticks = ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50"]
    axes.set_xticks([float(tick) for tick in ticks], ticks)
    axes.minorticks_off()
    every = sorted(itertools.chain.from_iterable(results["latencies_ms"].values()))
    axes.set_xlim(0.8 * every[0], 1.5 * every[-len(every) // 500])
    axes.set_ylim(0, 101)
    axes.set_xlabel("added latency, ms")
    axes.set_ylabel("% of events within it")
    axes.set_title(f"Added latency at {results['settings']['rate']:g} events a second", loc="left", fontsize=11)
    axes.legend(loc="lower right", frameon=False)
    return figure


def draw_burst(results: Results) -> Figure:
    """Return throughput, CPU and memory of a burst as bars, with the lowest and highest run."""
    wanted = {
        "events_per_s": "events a second",
        "cpu_us_per_event": "CPU µs an event",
        "peak_rss_mib": "peak memory, MiB",
    }
    lines = {line["measure"]: line for line in results["burst"]["summary"]}
    figure = Figure(figsize=(6.4, 2.6), layout="constrained", facecolor="white")
    for at, (measure, title) in enumerate(wanted.items(), 1):
        axes = figure.add_subplot(1, 3, at)
        _tidy(axes)
        for place, subject in enumerate(("daemon", "script")):
            value = lines[measure][subject]
            spread = [[value["median"] - value["lowest"]], [value["highest"] - value["median"]]]
            axes.bar(
                place, value["median"], yerr=spread, color=_COLOURS[subject], width=0.62, ecolor="#57606a", capsize=3
            )
            axes.annotate(
                f"{value['median']:,.0f}",
                (place, 0),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                color="white",
            )
        axes.set_xticks([0, 1], ["forwarder", "script"])
        axes.grid(visible=False, axis="x")
        axes.set_title(title, loc="left", fontsize=10)
    figure.suptitle(f"A burst of {results['settings']['burst']:,} events of 2 KB", x=0.01, ha="left", fontsize=11)
    return figure


def draw_backlog(results: Results) -> Figure:
    """Return start-up, claim and the delay of fresh events against the deliveries that wait."""
    panels = {
        "seconds from start": {"ready_s": "ready", "first_delivery_s": "first delivery"},
        "claim of 64, ms": {"claim_ms": ""},
        "fresh event, median ms": {"refused_median_ms": "receiver refuses", "draining_median_ms": "draining"},
    }
    figure = Figure(figsize=(7.6, 2.8), layout="constrained", facecolor="white")
    for at, (title, series) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, 3, at)
        _tidy(axes)
        for (name, label), colour in zip(series.items(), itertools.cycle(("#1f6feb", "#bc4c00")), strict=False):
            points = [
                (line["rows"], line[name]) for line in results["backlog"] if line[name] is not None and line["rows"]
            ]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, color=colour, label=label)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("deliveries that wait")
        axes.set_title(title, loc="left", fontsize=10)
        if len(series) > 1:
            axes.legend(frameon=False, fontsize=8)
    return figure


def draw_steady(results: Results) -> Figure:
    """Return memory from minute to minute."""
    figure, axes = _figure(6.4, 2.4)
    samples = results["samples"]
    axes.plot([at["minute"] for at in samples], [at["rss_mib"] for at in samples], color="#1f6feb", linewidth=1.8)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.25 * max(at["rss_mib"] for at in samples))
    axes.set_xlabel("minutes")
    axes.set_title(f"Memory, MiB, at {results['rate']} events a second", loc="left", fontsize=10)
    return figure


def draw_where(rows: Sequence[tuple[str, float, float, float]]) -> Figure:
    """Return CPU time and calls of an event as bars: package, calls, CPU µs in a burst, CPU µs at a steady rate."""
    names, calls, burst, steady = zip(*rows, strict=True)
    panels = {"CPU µs, in a burst": burst, "CPU µs, at 200 a second": steady, "calls of functions": calls}
    figure = Figure(figsize=(8.4, 0.8 + 0.24 * len(rows)), layout="constrained", facecolor="white")
    for at, (title, values) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, 3, at)
        _tidy(axes)
        axes.barh(range(len(rows)), values, color="#1f6feb" if values is not calls else "#8c959f", height=0.7)
        for place, value in enumerate(values):
            text = f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value else ""
            axes.annotate(
                text, (value, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7, clip_on=False
            )
        axes.set_xlim(0, 1.2 * max(values))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), names if at == 1 else [""] * len(rows))
        axes.grid(visible=False, axis="y")
        axes.tick_params(left=False)
        axes.set_title(title, loc="left", fontsize=10)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    _tidy(axes)
    return figure, axes


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#d8dee4", linewidth=0.6)
    axes.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Write a picture. Text stays text: small files, and the reader's own font. The salt keeps ids the same from run to run."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "forwarder"})
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    print(f"written: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the results as SVG.")
    parser.add_argument("--compare", type=Path, help="what benchmarks.compare wrote with --json")
    parser.add_argument("--backlog", type=Path, help="what benchmarks.backlog wrote with --json")
    parser.add_argument("--steady", type=Path, help="what benchmarks.steady wrote with --json")
    parser.add_argument("--folder", type=Path, default=Path("docs"), help="where to draw (default: docs)")
    arguments = parser.parse_args()
    if arguments.compare is not None:
        results = json.loads(arguments.compare.read_text(encoding="utf-8"))
        if "latency" in results:
            save(draw_latency(results), arguments.folder / "latency.svg")
        if "burst" in results:
            save(draw_burst(results), arguments.folder / "burst.svg")
    if arguments.backlog is not None:
        results = json.loads(arguments.backlog.read_text(encoding="utf-8"))
        save(draw_backlog(results), arguments.folder / "backlog.svg")
    if arguments.steady is not None:
        save(draw_steady(json.loads(arguments.steady.read_text(encoding="utf-8"))), arguments.folder / "steady.svg")


if __name__ == "__main__":
    main()
