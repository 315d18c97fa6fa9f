"""Tries rules that are not saved, on an event or on the history: in a process of its own, so that the event loop is not held up."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from forwarder.core.config import Config
from forwarder.destinations.render_once import environment
from forwarder.web.ports import UnavailableError
from forwarder.web.rule_trials import BacktestResult, BacktestWanted, RuleRun, RuleTrial, TrialResult

COMMAND = (sys.executable, "-P", "-m", "forwarder.cli.rule_run")
_TURN_WITHIN_S = 10.0
"""How long it is waited for the run before."""
_TRIAL_CPU_S, _BACKTEST_CPU_S = 10, 60
_LONGER = 3
"""How many times longer than its limit of CPU time a run may take by the clock, on a machine that is busy."""
_MOST_ANSWER_BYTES = 32 * 1024 * 1024

_T = TypeVar("_T", TrialResult, BacktestResult)


class RuleRuns:
    """Starts the processes, one at a time."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        self._turn = asyncio.Lock()

    async def try_rules(self, trial: RuleTrial, config: Config) -> TrialResult:
        """Route an event by rules that need not be saved. Raises `UnavailableError`."""
        run = RuleRun(base=_base(config), outbox=str(self._outbox), cpu_s=_TRIAL_CPU_S, trial=trial)
        return await self._in_turn(run, TrialResult)

    async def backtest(self, wanted: BacktestWanted, config: Config) -> BacktestResult:
        """Compare rules that need not be saved with the history. Raises `UnavailableError`."""
        run = RuleRun(base=_base(config), outbox=str(self._outbox), cpu_s=_BACKTEST_CPU_S, backtest=wanted)
        found = await self._in_turn(run, BacktestResult)
        if found.unavailable is not None:
            raise UnavailableError(found.unavailable)
        return found

    async def _in_turn(self, run: RuleRun, kind: type[_T]) -> _T:
        try:
            async with asyncio.timeout(_TURN_WITHIN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise UnavailableError("rules are being tried already; try again when that is done") from None
        try:
            return await _run(run, kind)
        finally:
            self._turn.release()


async def _run(run: RuleRun, kind: type[_T]) -> _T:
    try:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,  # signals of a terminal are for the daemon
        )
    except OSError as error:
        raise UnavailableError(f"the process that tries rules cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(run.cpu_s * _LONGER):
            answer = await _exchange(process, msgspec.json.encode(run))
    except TimeoutError:
        raise UnavailableError("trying these rules takes too long; try fewer of them, or on fewer events") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        raise UnavailableError(
            "the process that tries rules ended early: they take too long or too much memory; try fewer of them, or on fewer events"
        ) from error


async def _exchange(process: asyncio.subprocess.Process, message: bytes) -> bytes:
    """Return what the process writes until its end, or nothing if that is too much."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(message)
        await process.stdin.drain()
        process.stdin.close()
    answer = bytearray()
    while part := await process.stdout.read(1 << 16):
        answer += part
        if len(answer) > _MOST_ANSWER_BYTES:
            return b""
    return bytes(answer)


def _base(config: Config) -> bytes:
    """Return the revision of a config: everything that decides where an event goes, and no secret."""
    assert config.revision is not None  # noqa: S101 - a daemon has a config of a file
    return config.revision.data
