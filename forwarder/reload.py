"""Puts another config in force while the daemon runs: whole or not at all, and in one turn of the loop.

Everything that takes time (reading, checking, building, counting what waits) is done in a thread. What the lanes and streams make of it
is the daemon's business.
"""

import asyncio
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import structlog

from forwarder.admin.server import RequestRefusedError
from forwarder.core.config import Config
from forwarder.core.config.advice import warnings_of
from forwarder.core.plan import ONLY_AT_START, needs_restart, plan, shortened
from forwarder.core.ports import Clock
from forwarder.loading import Loaded
from forwarder.notify import ServiceManager
from forwarder.parts import Parts, parts_of
from forwarder.saves import watch_saves

_LOGGED = 100
"""Problems of one config that a log line holds at most."""
_SHOWN = 5
"""Those that the status shows."""

log = structlog.get_logger(__name__)


class By(StrEnum):
    """What had the config read again."""

    SAVE = "save"
    SIGNAL = "signal"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the config comes from: how it was read at the start, and how it is read again."""

    file: Path
    loaded: Loaded
    """Has a config."""
    load: Callable[[Path], Loaded]
    """Called in a thread."""
    check_tests: Callable[[Config], Sequence[str]] = lambda _config: ()
    """Returns which tests of a config fail, a sentence each. Called in a thread."""

    @property
    def config(self) -> Config:
        """The config of the start."""
        assert self.loaded.config is not None  # noqa: S101 - whoever starts a daemon has one
        return self.loaded.config


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of looking at a config: `problems`, or everything to put it in force."""

    loaded: Loaded
    problems: Sequence[str] = ()
    failing: Sequence[str] = ()
    """Tests that fail and need not pass."""
    parts: Parts | None = None
    """`None` also where it is in force already."""
    plan: Sequence[str] = ()
    bug: Mapping[str, object] | None = None
    """What to log of an error that nobody expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The last config that could not be used, where none was put in force since."""

    at: datetime
    digest: str
    problems: Sequence[str]


class Reloader:
    """One reload at a time, in the order in which they were asked for."""

    def __init__(
        self,
        source: Source,
        *,
        put_in_force: Callable[[Config, Parts], Collection[str] | None],
        waiting: Callable[[], Mapping[str, int]],
        service: ServiceManager,
        summary: Callable[[], str],
        clock: Clock,
    ) -> None:
        """`put_in_force` returns what it restarted, or `None` where the daemon stops; `waiting` is called in a thread."""
        self._source = source
        self._put_in_force = put_in_force
        self._waiting = waiting
        self._service = service
        self._summary = summary
        self._clock = clock
        self._config = source.config
        self._in_force = self._last = source.loaded
        """The last one that was looked at may have been refused."""
        self._since = clock()
        self._refusal: Refusal | None = None
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()

    def want(self) -> None:
        """Have the config read again, soon; what it comes to is logged."""
        self._wanted.set()

    async def run(self) -> None:
        """Follow signals and saved edits, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(watch_saves(self._watched, self._note_save))
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self._reload(By.SIGNAL)

    async def reload(self) -> dict[str, object]:
        """Read the config again; return what it came to, for whoever asked. Raises `RequestRefusedError` while stopping."""
        answer = await self._reload(By.REQUEST)
        if answer is None:
            raise RequestRefusedError("the daemon is stopping; the next start reads the config")
        return answer

    async def diff(self, file: str) -> dict[str, object]:
        """Return what the config in that file would change, or what is wrong with it."""
        tried = await self._look(Path(file))
        return self._answer(tried, is_in_force=False)

    def status(self) -> dict[str, object]:
        """Return which config is in force since when, and what was wrong with a later one."""
        refusal = self._refusal
        return {
            "file": str(self._source.file.absolute()),
            "digest": self._in_force.digest,
            "in_force_since": self._since.isoformat(timespec="seconds"),
            "watched": self._config.reload.watch,
            "needs_restart": needs_restart(self._config, self._source.config),
            "refused": None
            if refusal is None
            else {
                "at": refusal.at.isoformat(timespec="seconds"),
                "problems": list(refusal.problems[:_SHOWN]),
                "more": max(len(refusal.problems) - _SHOWN, 0),
            },
        }

    def _watched(self) -> Collection[Path]:
        return {*self._in_force.files, *self._last.files} if self._config.reload.watch else ()

    async def _note_save(self) -> None:
        await self._reload(By.SAVE)

    async def _reload(self, by: By) -> dict[str, object] | None:
        async with self._turn:
            if by is By.SAVE and await asyncio.to_thread(self._last.is_current):
                return None
            self._service.reloading()
            try:
                return self._conclude(await self._look(self._source.file), by)
            finally:
                self._service.ready(self._summary())

    async def _look(self, file: Path) -> Tried:
        tried = await asyncio.to_thread(self._try, file)
        if tried.bug is not None:
            log.error("reload.failed", **tried.bug)
        return tried

    # In a thread

    def _try(self, file: Path) -> Tried:
        """Look at the config in a file. Nothing that it holds may end the daemon."""
        loaded = Loaded(config=None)
        try:
            loaded = self._source.load(file)
            return self._judge(loaded)
        except Exception as error:  # noqa: BLE001 - a bug, whose text may hold a secret
            name = type(error).__name__
            return Tried(
                loaded=loaded,
                problems=(f"{file}: cannot be loaded: {name}, a bug; the log has its place",),
                bug={"error": name, "trace": traceback.format_tb(error.__traceback__)},
            )

    def _judge(self, loaded: Loaded) -> Tried:
        config = loaded.config
        if config is None:
            return Tried(loaded=loaded, problems=loaded.problems)
        if loaded.files == self._in_force.files:
            return Tried(loaded=loaded)
        failing = list(self._source.check_tests(config))
        if failing and config.reload.require_tests:
            return Tried(loaded=loaded, problems=failing)
        waiting = self._waiting() if config.destinations != self._config.destinations else {}
        sentences = plan(self._config, config, started_with=self._source.config, waiting=waiting)
        return Tried(loaded=loaded, failing=failing, parts=parts_of(config), plan=shortened(sentences))

    # In the loop

    def _conclude(self, tried: Tried, by: By) -> dict[str, object] | None:
        self._last = tried.loaded
        config = tried.loaded.config
        if tried.problems or config is None:
            self._refuse(tried, by)
            return self._answer(tried, is_in_force=False)
        if tried.parts is None:
            self._note_unchanged(by)
            return self._answer(tried, is_in_force=True)
        restarted = self._put_in_force(config, tried.parts)
        if restarted is None:
            return None
        for setting in needs_restart(config, self._source.config):
            if ONLY_AT_START[setting](config) != ONLY_AT_START[setting](self._config):
                log.warning("reload.restart_needed", setting=setting, note="takes effect at the next start")
        if tried.failing:
            log.warning("reload.tests_failed", tests=shortened(tried.failing, _LOGGED))
        warn_of(config)
        self._config, self._in_force, self._since, self._refusal = config, tried.loaded, self._clock(), None
        log.info(
            "reload.done",
            by=by,
            digest=tried.loaded.digest,
            routes=len(config.routes),
            restarted=sorted(restarted),
            plan=list(tried.plan),
        )
        return self._answer(tried, is_in_force=True)

    def _refuse(self, tried: Tried, by: By) -> None:
        is_new = self._refusal is None or self._refusal.digest != tried.loaded.digest
        self._refusal = Refusal(at=self._clock(), digest=tried.loaded.digest, problems=tried.problems)
        if by is By.SAVE and not is_new:
            return
        problems = shortened(tried.problems, _LOGGED)
        if tried.loaded.is_readable:
            log.error("reload.refused", by=by, problems=problems, note="the config in force goes on")
        else:
            note = "the config in force goes on"
            if self._config.reload.watch:
                note += "; the file is loaded when it is back"
            log.warning("reload.unreadable", by=by, problems=problems, note=note)

    def _note_unchanged(self, by: By) -> None:
        if self._refusal is not None:
            self._refusal = None
            log.info("reload.undone", by=by, note="the files hold again what is in force")
        elif by is not By.SAVE:
            log.info("reload.unchanged", by=by, note="the files hold what is in force")
            warn_of(self._config)

    def _answer(self, tried: Tried, *, is_in_force: bool) -> dict[str, object]:
        config = tried.loaded.config
        return {
            "applied": is_in_force,
            "file": str(self._source.file.absolute()),
            "digest": tried.loaded.digest,
            "changed": tried.parts is not None,
            "plan": list(tried.plan),
            "problems": list(tried.problems),
            "failing_tests": list(tried.failing),
            "warnings": [] if config is None else warnings_of(config),
        }


def warn_of(config: Config) -> None:
    """Log what a config allows and had better not."""
    for warning in warnings_of(config):
        log.warning("config.warning", note=warning)
