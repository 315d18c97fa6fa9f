"""The daemon with a sampler: in which package its event loop spends CPU time. For `benchmarks.where`.

    python -m benchmarks.sampled_daemon FILE run -c config.yaml …

The kernel sends SIGPROF at each tick of CPU time (250 a second on most machines), so that what is measured is not slowed down. The
sample counts for the innermost function of `forwarder/` that runs then, with all that it has called in libraries and in the kernel. Where none runs, it
counts for the event loop. SIGUSR1 has the counts since the last SIGUSR1 written to FILE, with the CPU time of the loop's thread and of
the whole process.
"""

import dis
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from forwarder.cli import main
from tools.call_counts import name_of, package_of

LOOP = "event loop, sockets"
WEBSOCKET = "WebSocket (aiohttp)"
_TICK_S = 0.001
_RESUME = dis.opmap["RESUME"]
_RUNNER = f"asyncio{os.sep}runners.py"


class Sampler:
    """Counts samples by package."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._samples = Counter[str]()
        self._thread_s, self._process_s = time.thread_time(), time.process_time()

    def start(self) -> None:
        """Sample from now on. Signal handlers run in the main thread, which is the loop's."""
        signal.signal(signal.SIGPROF, lambda _number, frame: self._sample(frame))
        signal.signal(signal.SIGUSR1, lambda _number, _frame: self._write())
        signal.setitimer(signal.ITIMER_PROF, _TICK_S, _TICK_S)

    def _sample(self, frame: FrameType | None) -> None:
        self._samples[_place_of(frame)] += 1

    def _write(self) -> None:
        was, self._samples = self._samples, Counter()
        thread_s, process_s = time.thread_time(), time.process_time()
        found = {"samples": was, "thread_s": thread_s - self._thread_s, "process_s": process_s - self._process_s}
        self._thread_s, self._process_s = thread_s, process_s
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(self._path)


def _place_of(frame: FrameType | None) -> str:
    """Return what a sample counts for.

    Python handles a signal when the next function begins or a call of C ends. So a callback that is just beginning was not running when the
    signal came: the loop was. What the loop does before it resumes a coroutine is not seen like that: it counts for what the coroutine does
    first.
    """
    if frame is None or (_is_runner(frame.f_back) and _is_beginning(frame)):
        return LOOP
    place = LOOP
    while frame is not None and not _is_runner(frame):
        if (name := name_of(frame.f_code)) is not None:
            return package_of(name)
        if f"{os.sep}aiohttp{os.sep}" in frame.f_code.co_filename:
            place = WEBSOCKET
        frame = frame.f_back
    return place


def _is_runner(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.endswith(_RUNNER)


def _is_beginning(frame: FrameType) -> bool:
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == _RESUME


if __name__ == "__main__":
    Sampler(Path(sys.argv.pop(1))).start()
    sys.exit(main())
