"""What the benchmarks share: the load side, the processes under test and what they cost, and the machine all this ran on."""

import json
import os
import platform
import select
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.endpoints import KEY

_ROOT = Path(__file__).parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UNTIL_SETTLED_S = 0.5
"""After the last POST: the outbox writes the last outcomes."""


class BenchmarkError(Exception):
    """The run is void; the text says why."""


class LoadSide:
    """`benchmarks.stream_and_receiver` in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        addresses = self._read(within_s=20)
        self.stream: str = addresses["stream"]
        self.receiver: str = addresses["receiver"]

    def do(self, command: str, *, within_s: float = 20, **values: float) -> dict[str, Any]:
        """Have it obey a command (see `Load.obey`) and return its answer."""
        assert self._process.stdin is not None  # noqa: S101 - opened with a pipe
        print(json.dumps({"do": command, "within_s": within_s, **values}), file=self._process.stdin, flush=True)
        answer = self._read(within_s=within_s + 20)
        if "error" in answer:
            raise BenchmarkError(f"load side: {command}: {answer['error']}")
        return answer

    def _read(self, within_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - opened with a pipe
        if not select.select([self._process.stdout], [], [], within_s)[0]:
            raise BenchmarkError(f"the load side says nothing within {within_s:g} s")
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "ended"}')
        return answer


class Subject:
    """A process under test, seen from outside."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._proc = Path(f"/proc/{process.pid}")

    def cpu_s(self) -> float:
        """Return user and system time of all its threads so far."""
        fields = (self._proc / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def memory_mib(self) -> tuple[float, float]:
        """Return the resident memory now and its peak (VmHWM)."""
        lines = (line.split(":", 1) for line in (self._proc / "status").read_text().splitlines())
        status = {name: value.split()[0] for name, value in lines if name in {"VmRSS", "VmHWM"}}
        return int(status["VmRSS"]) / 1024, int(status["VmHWM"]) / 1024

    def own_and_files_mib(self) -> tuple[float, float]:
        """Return which part of the resident memory is its own, and which is of the files of programs and libraries, shared with others."""
        lines = (line.split(":", 1) for line in (self._proc / "status").read_text().splitlines())
        status = {name: int(value.split()[0]) for name, value in lines if name.startswith("Rss")}
        return status["RssAnon"] / 1024, (status["RssFile"] + status["RssShmem"]) / 1024

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list((self._proc / "fd").iterdir()))

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list((self._proc / "task").iterdir()))

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def settle(self) -> None:
        """Let it finish what it does after the last POST: until it has used no CPU worth naming for a while."""
        before = self.cpu_s()
        for _ in range(20):
            time.sleep(_UNTIL_SETTLED_S)
            now = self.cpu_s()
            if now - before <= 0.02:
                return
            before = now


@contextmanager
def load_side() -> Iterator[LoadSide]:
    """Run the load side."""
    command = [sys.executable, "-m", "benchmarks.stream_and_receiver"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            yield LoadSide(process)
        finally:
            process.kill()


@contextmanager
def running(arguments: Sequence[str], *, log: Path | None = None) -> Iterator[Subject]:
    """Run `python -m ARGUMENTS`; its standard output goes to `log`, by default to /dev/null as far as we care."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"STATE_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    }
    with (
        Path(log or os.devnull).open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", *arguments], stdin=subprocess.DEVNULL, stdout=output, env=environment, cwd=_ROOT
        ) as process,
    ):
        try:
            yield Subject(process)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def write_config(
    folder: Path,
    load: LoadSide,
    *,
    durability: str = "full",
    more_of_outbox: str = "",
    more_of_destination: str = "",
    others: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a config with one stream, one destination (and `others` by name and URL), one route and an outbox in `folder`."""
    path = folder / "config.yaml"
    destinations = {"bot": f"url: '{load.receiver}', concurrency: 16{more_of_destination}"}
    destinations |= {name: f"url: '{url}'" for name, url in others.items()}
    written = "".join(f"  {name}: {{{settings}}}\n" for name, settings in destinations.items())
    path.write_text(
        f"streams: [{{url: '{load.stream}', api_key: {KEY}}}]\n"
        f"outbox: {{url: 'sqlite://{folder}/outbox.db', durability: {durability}{more_of_outbox}}}\n"
        f"destinations:\n{written}"
        f"routes: [{{to: [{', '.join(destinations)}]}}]\n",
        encoding="utf-8",
    )
    return path


def daemon_arguments(config: Path, log_level: str) -> list[str]:
    """Return how the daemon is run: as a service manager does, log lines as JSON."""
    return ["forwarder", "run", "-c", str(config), "--log-level", log_level, "--log-format", "json"]


@contextmanager
def fresh_folder(parent: Path | None) -> Iterator[Path]:
    """Have a folder for one run, and remove it."""
    with tempfile.TemporaryDirectory(prefix="forwarder-benchmark-", dir=parent) as folder:
        yield Path(folder)


def describe_machine(folder: Path | None) -> dict[str, object]:
    """Return what figures depend on."""
    parent = Path(folder or tempfile.gettempdir()).resolve()
    memory_kib = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kib / 1024**2, 1),
        "kernel": platform.release(),
        "file_system": _file_system(parent),
        "sync_ms": round(_sync_ms(parent), 3),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("aiohttp", "uvloop", "forwarder")},
        "load_average_before": os.getloadavg()[0],
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`. A tmpfs syncs nothing, which flatters an outbox."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(len(point), kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(holding)[1]


def _sync_ms(folder: Path) -> float:
    """Return how long this disk takes to sync 4 KiB appended to a file: the median of 100."""
    took: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(100):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, columns aligned."""
    print(table_text(header, rows))


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, columns aligned."""
    widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    lines = (header, ["-" * width for width in widths], *rows)
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in lines
    )


def write_json(path: Path, results: dict[str, object]) -> None:
    """Write the results of a run for `benchmarks.plots` and for later comparison."""
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")
