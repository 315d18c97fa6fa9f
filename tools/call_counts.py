"""The gate of the hot path: how many calls of functions an event costs, by package, held against committed figures.

`python -m tools.call_counts` sends 1,000 recorded events (200 to ten destinations) through ingest, lanes, outbox and real sockets, for
five typical configs (`tests/support/hot_path.py`), and counts the calls that code of `forwarder/` makes in the thread of the event loop, and the calls that the
loop makes of it. The median of three runs, each in a process of its own, must be within 1 % of the figures in `tools/call_counts.json`.
Unlike time, calls are the same on a busy machine and on an idle one.

`--write` writes lower figures into that file; with `--reason` higher ones too. The figures hold for one version of CPython.
"""

import argparse
import cProfile
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from types import CodeType
from typing import Any, NamedTuple, TypedDict

from forwarder.logs.setup import configure_logging
from tests.support import hot_path

ROOT = Path(__file__).parents[1]
FIGURES = Path(__file__).with_suffix(".json")
PYTHON = (3, 11)
"""The version of CPython that the figures are of: others make other calls for the same code."""
RUNS = 3
TOLERANCE = 0.01
_LEAST = 0.01
"""Calls an event: smaller differences are within the tolerance of any figure."""
_LISTED = 0.1
"""Calls an event: functions that make fewer have no figure of their own."""
_SHOWN = 8
"""How many functions are named for a package that changed."""
_PACKAGE = f"{ROOT / 'forwarder'}{os.sep}"

Functions = Mapping[str, float]
"""The calls that each function makes for an event: `core/event.py decode_event`."""


class Figures(TypedDict):
    """The committed figures of one config, for one event."""

    reason: str
    """Why a figure was raised last."""
    deliveries: float
    packages: dict[str, float]
    functions: dict[str, float]


class Measured(NamedTuple):
    """What was counted for one event."""

    deliveries: float
    functions: Functions

    @property
    def packages(self) -> dict[str, float]:
        """The calls by package."""
        return by_package(self.functions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and judge, or write; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.call_counts", description="Count the calls of the hot path.")
    parser.add_argument("--write", action="store_true", help="write the figures that are lower than the committed ones")
    parser.add_argument("--reason", default="", help="with --write: why figures are higher, which are then written too")
    parser.add_argument("--list", action="store_true", help="list the functions that make the most calls")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a run, in a process of its own
    asked = parser.parse_args(arguments)
    if sys.version_info[:2] != PYTHON:
        version = ".".join(map(str, PYTHON))
        print(f"call counts: the figures are of CPython {version}, and other versions make other calls: not compared")
        return 0
    if asked.one:
        print(json.dumps(count_once(), ensure_ascii=False))
        return 0
    measured = count()
    if asked.list:
        print("\n".join(listed(measured)))
    committed: dict[str, Figures] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if asked.write:
        written, problems = updated(committed, measured, asked.reason.strip())
        if not problems:
            FIGURES.write_text(as_text(written), encoding="utf-8")
            print(f"written: {FIGURES.relative_to(ROOT)}")
    else:
        problems = differences(committed, measured)
    print("\n".join(problems or summary(measured)))
    return 1 if problems else 0


# Counting


def count() -> dict[str, Measured]:
    """Return the medians of three runs, by config."""
    command = [sys.executable, "-m", "tools.call_counts", "--one"]
    environment = os.environ | {"PYTHONHASHSEED": "0"}  # the order of sets

    def run(_number: int) -> Any:  # noqa: ANN401 - what `count_once` returns
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=300)
        return json.loads(done.stdout.splitlines()[-1])

    with ThreadPoolExecutor(min(RUNS, os.cpu_count() or 1)) as pool:
        runs = list(pool.map(run, range(RUNS)))
    return {config: _median_of([run[config] for run in runs]) for config in hot_path.CONFIGS}


def _median_of(runs: Sequence[tuple[float, dict[str, float]]]) -> Measured:
    deliveries = {run[0] for run in runs}
    if len(deliveries) > 1:
        raise RuntimeError(f"the runs made different numbers of deliveries: {sorted(deliveries)}")
    names = sorted({name for _, functions in runs for name in functions})
    medians = {name: median(functions.get(name, 0.0) for _, functions in runs) for name in names}
    return Measured(deliveries.pop(), {name: calls for name, calls in medians.items() if calls})


def count_once() -> dict[str, tuple[float, dict[str, float]]]:
    """Return deliveries and calls for an event, by config: one run of each, in this process, whose log goes to /dev/null."""
    discard_log()
    counted = {}
    for config, scenario in hot_path.CONFIGS.items():
        profile = cProfile.Profile()
        deliveries = hot_path.run(scenario, profile)
        calls = calls_of(profile.getstats())
        counted[config] = (
            deliveries / scenario.events,
            {name: made / scenario.events for name, made in sorted(calls.items())},
        )
    return counted


def discard_log() -> None:
    """Have the log of this process written to /dev/null, in the daemon's format."""
    out, sys.stdout = sys.stdout, Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - the log keeps it open
    configure_logging(level="info", format_="json", is_final=True)
    sys.stdout = out


def calls_of(stats: Sequence[Any]) -> Counter[str]:
    """Return the calls by the function of `forwarder/` that makes them. A call from outside `forwarder/` counts for the function itself."""
    calls, from_inside = Counter[str](), Counter[CodeType]()
    for entry in stats:
        if (name := name_of(entry.code)) is None:
            continue
        for callee in entry.calls or ():
            calls[name] += callee.callcount
            if isinstance(callee.code, CodeType):
                from_inside[callee.code] += callee.callcount
    for entry in stats:
        if (name := name_of(entry.code)) is not None:
            calls[name] += entry.callcount - from_inside[entry.code]
    return +calls


def name_of(code: CodeType | str) -> str | None:
    """Return the name of a function of `forwarder/`, with its file; `None` for any other function."""
    if not isinstance(code, CodeType) or not code.co_filename.startswith(_PACKAGE):
        return None
    return f"{code.co_filename.removeprefix(_PACKAGE)} {code.co_qualname}"


def package_of(function: str) -> str:
    """Return the package of a function: a folder, or in `core` a folder there; a module beside the packages stands for itself."""
    *folders, module = function.partition(" ")[0].split("/")
    return "/".join(folders[: 2 if folders[:1] == ["core"] else 1]) or module


def by_package(functions: Functions) -> dict[str, float]:
    """Return the sums by package, the largest first."""
    sums: dict[str, float] = defaultdict(float)
    for name, calls in functions.items():
        sums[package_of(name)] += calls
    return {name: round(calls, 3) for name, calls in sorted(sums.items(), key=lambda item: (-item[1], item[0]))}


# Judging


def differs(now: float, committed: float) -> bool:
    """Return whether a figure is no longer the committed one."""
    return abs(now - committed) > max(TOLERANCE * committed, _LEAST)


def differences(committed: Mapping[str, Figures], measured: Mapping[str, Measured]) -> list[str]:
    """Return what to print of the figures that are not within the tolerance, and nothing where all are."""
    lines: list[str] = []
    has_grown = has_shrunk = False
    for config, now in measured.items():
        figures = committed.get(config)
        if figures is None:
            lines.append(f"{config}: no figure is committed")
            has_grown = True
            continue
        if differs(now.deliveries, figures["deliveries"]):
            lines.append(
                f"{config}: {now.deliveries:g} deliveries an event, and {figures['deliveries']:g} are expected"
            )
            has_grown = True
        for package, before, after in _pairs(figures["packages"], now.packages):
            if differs(after, before):
                has_grown, has_shrunk = has_grown or after > before, has_shrunk or after < before
                lines.append(
                    f"{config}: {package} {'grew' if after > before else 'shrank'} from {before:.2f} to {after:.2f} calls an event"
                    f" ({_percent(before, after)})"
                )
                lines += _changed_functions(package, figures["functions"], now.functions)
    lines += [f"{config}: it is no config any more" for config in committed.keys() - measured.keys()]
    if has_grown:
        lines.append(
            'a figure grew: make it smaller, or write it with its reason: python -m tools.call_counts --write --reason "why"'
        )
    if has_shrunk:
        lines.append("a figure shrank: lower it, so that it stays low: python -m tools.call_counts --write")
    return lines


def _pairs(before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    for name in sorted(before.keys() | after.keys()):
        yield name, before.get(name, 0.0), after.get(name, 0.0)


def _percent(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %" if before else "new"


def _changed_functions(package: str, before: Functions, after: Functions) -> list[str]:
    changes = [
        (now - then, name, then, now)
        for name, then, now in _pairs(before, after)
        if package_of(name) == package and abs(now - then) >= _LISTED
    ]
    changes.sort(key=lambda change: (-abs(change[0]), change[1]))
    return [f"    {change:+8.2f}  {name} ({then:.2f} → {now:.2f})" for change, name, then, now in changes[:_SHOWN]]


# Writing


def updated(
    committed: Mapping[str, Figures], measured: Mapping[str, Measured], reason: str
) -> tuple[dict[str, Figures], list[str]]:
    """Return the new figures, and what may not be written: higher figures without a reason.

    Without a reason a package whose figure is a little higher, within the tolerance, keeps the committed one: otherwise figures could
    creep up unseen.
    """
    written: dict[str, Figures] = {}
    problems: list[str] = []
    for config, now in measured.items():
        before = committed.get(config)
        figures = Figures(
            reason=before["reason"] if before else reason or "the first figures",
            deliveries=now.deliveries,
            packages=dict(now.packages),
            functions={name: round(calls, 3) for name, calls in now.functions.items() if calls >= _LISTED},
        )
        for package, then, after in _pairs(before["packages"] if before else now.packages, now.packages):
            if after <= then:
                continue
            if reason:
                figures["reason"] = reason
            elif differs(after, then):
                problems.append(
                    f"{config}: {package} grew from {then:.2f} to {after:.2f} calls an event: say why with --reason"
                )
            else:
                figures["packages"][package] = then
        written[config] = figures
    return written, problems


def as_text(figures: Mapping[str, Figures]) -> str:
    """Return the figures as they are committed: a line for each function, so that a diff shows what changed."""
    return json.dumps(figures, indent=1, ensure_ascii=False) + "\n"


# Printing


def summary(measured: Mapping[str, Measured]) -> list[str]:
    """Return a line for each config."""
    return [
        f"{config}: {sum(now.packages.values()):.1f} calls an event ({now.deliveries:g} deliveries): "
        + ", ".join(f"{package} {calls:.1f}" for package, calls in now.packages.items() if calls >= 1)
        for config, now in measured.items()
    ]


def listed(measured: Mapping[str, Measured], most: int = 40) -> Iterator[str]:
    """Yield the functions of each config that make the most calls."""
    for config, now in measured.items():
        yield f"{config}:"
        for name, calls in sorted(now.functions.items(), key=lambda item: (-item[1], item[0]))[:most]:
            yield f"  {calls:8.2f}  {name}"


if __name__ == "__main__":
    sys.exit(main())
