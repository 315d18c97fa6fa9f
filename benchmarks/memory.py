"""What the memory of the daemon is: how much the process has, and which package needs it for what.

    python -m benchmarks.memory [--seconds 60] [--burst 20000] [--routes 10000] [--json FILE]

The first table is of a daemon as it is run. The second one is of a daemon under `tracemalloc`, which is slow and itself needs memory, so only
the shares are to be read from it: what stays of loading each package (code, classes, documentation), and what each room keeps of its
work. Memory of libraries that do not use Python's allocator is not in it: SQLite, OpenSSL, the compiled parts of pydantic and RE2.
The third table is of an interpreter that does nothing but load the daemon's libraries, one after the other. `--only-libraries` makes this
table alone, in a few seconds.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import rig
from benchmarks.load import config_text
from benchmarks.rig import LoadSide, Subject

_LIBRARIES = {
    "Python": (),
    "asyncio, uvloop": ("asyncio", "uvloop"),
    "sqlite3, aiosqlite": ("sqlite3", "aiosqlite"),
    "msgspec": ("msgspec",),
    "yaml": ("yaml", "yaml.cyaml"),
    "yarl, httptools": ("yarl", "httptools"),
    "aiohttp": ("aiohttp",),
    "structlog": ("structlog",),
    "pydantic": ("pydantic.main", "pydantic.type_adapter"),
}
"""In the order in which they are loaded: what several need counts for the first of them."""
_LOAD = """
import importlib, sys
sys.modules["rich"] = None  # as in the daemon
for name in sys.argv[1:]:
    importlib.import_module(name)
print(open("/proc/self/status").read())
"""
_OF_STATUS = {"resident": "VmRSS", "own": "RssAnon"}
_AS_IN_DAEMON = {"SSL_CERT_FILE": os.devnull, "FROZENLIST_NO_EXTENSIONS": "true", "PYDANTIC_DISABLE_PLUGINS": "true"}
_SMALLEST_KIB = 200
"""Smaller lines are one together."""


def _ask(folder: Path, moment: str) -> dict[str, Any]:
    name = moment.replace("/", " ")
    (folder / f"{name}.asked").touch()
    while not (told := folder / f"{name}.told").exists():
        time.sleep(0.05)
    held: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return held


def _run(
    load: LoadSide, settings: argparse.Namespace, note: Callable[[str, Subject, Path], None], *, is_traced: bool
) -> None:
    """Run a daemon idle, at 200 events a second and through a burst; call `note` after each."""
    with rig.fresh_folder(settings.folder) as folder:
        config = rig.write_config(folder, load)
        arguments = ["benchmarks.traced_daemon", str(config)] if is_traced else rig.daemon_arguments(config, "info")
        with rig.running(arguments) as process:
            load.do("wait_connected", within_s=60)
            process.settle()
            note("idle", process, folder)
            load.do("send", count=200 * settings.seconds, rate=200, size_bytes=2048, within_s=60 + 3 * settings.seconds)
            note("at 200/s", process, folder)
            load.do("send", count=settings.burst, rate=0, size_bytes=2048, within_s=600)
            note("after a burst", process, folder)


def _with_routes(settings: argparse.Namespace, *, is_traced: bool) -> dict[str, Any]:
    """Return what an idle daemon with many routes has; its stream is one that nobody serves."""
    with rig.fresh_folder(settings.folder) as folder:
        config = folder / "config.yaml"
        text = config_text(settings.routes).replace("{api_key: k}", "{api_key: k, url: 'ws://127.0.0.1:9/ws'}")
        config.write_text(f"outbox: {{url: 'sqlite://{folder}/outbox.db'}}\n{text}", encoding="utf-8")
        arguments = ["benchmarks.traced_daemon", str(config)] if is_traced else rig.daemon_arguments(config, "info")
        with rig.running(arguments) as process:
            while not (folder / "outbox.db.sock").exists():
                time.sleep(0.1)
            process.settle()
            return _ask(folder, "routes") if is_traced else _resident(process)


def _resident(process: Subject) -> dict[str, Any]:
    now, peak = process.memory_mib()
    own, files = process.own_and_files_mib()
    return {"resident": now, "own": own, "of files": files, "peak": peak}


def _libraries() -> dict[str, dict[str, float]]:
    """Return what an interpreter has that has loaded these libraries and all before them."""
    found: dict[str, dict[str, float]] = {}
    modules: list[str] = []
    for library, added in _LIBRARIES.items():
        modules += added
        command = [sys.executable, "-c", _LOAD, *modules]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | _AS_IN_DAEMON)
        status = dict(line.split(":", 1) for line in ran.stdout.splitlines() if line)
        found[library] = {what: int(status[name].split()[0]) / 1024 for what, name in _OF_STATUS.items()}
    return found


def _print_libraries(found: dict[str, dict[str, float]]) -> None:
    before = {"resident": 0.0, "own": 0.0}
    rows: list[list[str]] = []
    for library, now in found.items():
        rows.append([library, *(f"{now[what]:.1f}" for what in now), f"{now['resident'] - before['resident']:.1f}"])
        before = now
    rig.print_table(["MiB, with", "resident", "own", "more than before"], rows)


def _mib(size: float) -> str:
    return f"{size / 1024**2:.2f}".replace("-0.00", "0.00")


def _print_shares(told: dict[str, dict[str, Any]]) -> None:
    """Print what each package and room needs: of its modules, and more with each moment."""
    idle, moments = told["idle"], ["at 200/s", "after a burst", "with many routes"]
    rows: list[tuple[float, list[str]]] = []
    rest = Counter[int]()
    for room in {*idle["imports"], *(room for each in told.values() for room in each["held"])}:
        sizes = [idle["imports"].get(room, 0)]
        sizes += [told[moment]["held"].get(room, 0) - idle["held"].get(room, 0) for moment in moments]
        if max(sizes) < _SMALLEST_KIB * 1024:
            rest.update(dict(enumerate(sizes)))
        else:
            rows.append((sizes[0], [room, *map(_mib, sizes)]))
    rows.sort(reverse=True)
    table = [cells for _, cells in rows] + [["all others", *(_mib(rest[at]) for at in range(4))]]
    table.append(["all that is traced", *(_mib(sum(float(row[at]) for row in table) * 1024**2) for at in range(1, 5))])
    rig.print_table(["MiB", "its modules", *(f"and {moment}" for moment in moments)], table)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the memory of the daemon, and what needs it.")
    parser.add_argument("--seconds", type=int, default=60, help="how long at 200 events a second (default 60)")
    parser.add_argument("--burst", type=int, default=20_000, help="events in the burst (default 20000)")
    parser.add_argument("--routes", type=int, default=10_000, help="routes of the large config (default 10000)")
    parser.add_argument("--folder", type=Path, help="where the outbox is made (default: the temporary folder)")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--only-libraries", action="store_true", help="only measure what the libraries need")
    return parser.parse_args()


def main() -> None:
    settings = _parse()
    libraries = _libraries()
    if settings.only_libraries:
        _print_libraries(libraries)
        return
    resident: dict[str, dict[str, Any]] = {}
    told: dict[str, dict[str, Any]] = {}
    with rig.load_side() as load:
        _run(load, settings, lambda moment, process, _: resident.update({moment: _resident(process)}), is_traced=False)
    with rig.load_side() as load:
        _run(load, settings, lambda moment, _, folder: told.update({moment: _ask(folder, moment)}), is_traced=True)
    resident["with many routes"] = _with_routes(settings, is_traced=False)
    told["with many routes"] = _with_routes(settings, is_traced=True)
    rig.print_table(
        ["MiB", *resident],
        [
            [what, *(f"{each[what]:.1f}" for each in resident.values())]
            for what in ("resident", "own", "of files", "peak")
        ],
    )
    print()
    _print_shares(told)
    print()
    _print_libraries(libraries)
    if settings.json is not None:
        rig.write_json(
            settings.json,
            {
                "machine": rig.describe_machine(settings.folder),
                "resident": resident,
                "traced": told,
                "libraries": libraries,
            },
        )


if __name__ == "__main__":
    main()
