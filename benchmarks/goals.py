"""The goals of `benchmarks.compare`: what the daemon may cost beside the plain script, and in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks import rig

SETTINGS = MappingProxyType({"rate": 200, "size": 2048, "burst": 20_000, "durability": "full", "log_level": "info"})
"""What the goals are for."""
PAIRS = 7
"""Fewer runs of each are too few for a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure of the summary, and its limit."""

    part: str
    measure: str
    name: str
    limit: float
    is_ratio: bool = True
    """Whether the figure is the daemon's divided by the script's, or else the daemon's alone."""
    is_least: bool = False
    """Whether the limit is the least that the figure may be, or else the most."""


GOALS = (
    Goal(part="burst", measure="events_per_s", name="pace in a burst, of the script's", limit=1.0, is_least=True),
    Goal(part="latency", measure="median_ms", name="added latency, median, of the script's", limit=1.0),
    Goal(part="latency", measure="p99_ms", name="added latency, p99, of the script's", limit=1.1),
    Goal(part="latency", measure="cpu_ms_per_event", name="CPU an event at 200 a second, of the script's", limit=2.0),
    Goal(part="latency", measure="peak_rss_mib", name="memory at 200 a second, MiB", limit=60, is_ratio=False),
    Goal(part="burst", measure="peak_rss_mib", name="memory in a burst, MiB", limit=75, is_ratio=False),
)


def judge(summaries: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return for each goal of the parts that were run the figure, and by how much it is missed: zero or less where it is met."""
    verdicts = []
    for goal in GOALS:
        line = next((line for line in summaries.get(goal.part, ()) if line["measure"] == goal.measure), None)
        figure = None if line is None else line["ratio"] if goal.is_ratio else line["daemon"]["median"]
        if figure is not None:
            missed = goal.limit - figure if goal.is_least else figure - goal.limit
            verdicts.append(
                {
                    "goal": goal.name,
                    "limit": goal.limit,
                    "is_least": goal.is_least,
                    "figure": figure,
                    "missed_by": missed,
                }
            )
    return verdicts


def print_verdict(verdicts: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Print the goals, the figures, and whether they are met; and why that says little where other settings were used."""
    rows = [
        [
            verdict["goal"],
            f"{'at least' if verdict['is_least'] else 'at most'} {verdict['limit']:g}",
            f"{verdict['figure']:.2f}",
            "met" if verdict["missed_by"] <= 0 else f"MISSED by {verdict['missed_by']:.2f}",
        ]
        for verdict in verdicts
    ]
    rig.print_table(["goal", "limit", "figure", "verdict"], rows)
    if others := [f"{name} {settings[name]}" for name, wanted in SETTINGS.items() if settings[name] != wanted]:
        print(f"the goals are for other settings than these: {', '.join(others)}")
    if settings["pairs"] < PAIRS:
        print(f"a verdict needs at least {PAIRS} pairs of runs on an idle machine")
