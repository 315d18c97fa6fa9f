"""Activates another config while the daemon runs: whole or not at all, and in one turn of the event loop.

Everything that takes time (reading, checking, building, counting what waits) is done in a thread.
"""

import asyncio
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path

import msgspec
import structlog

from forwarder.configfile.includes import Entry
from forwarder.configfile.snapshot import Files, Loaded
from forwarder.configfile.watcher import watch_saves
from forwarder.core.actions import Action, edit_of
from forwarder.core.commands import RequestRefusedError
from forwarder.core.config import Config
from forwarder.core.config.diff import ONLY_AT_START, needs_restart, plan, shortened
from forwarder.core.monitoring.status import ConfigReport, RefusedConfigReport
from forwarder.core.ports import Clock
from forwarder.daemon.config_reader import ConfigReader, ReloadHangsError
from forwarder.daemon.housekeeping import ServiceStatus
from forwarder.daemon.runtime import ActiveRuntime, Follower, RuntimeConfig, runtime_of
from forwarder.daemon.signals import DaemonSignals

_LOGGED = 100
"""Most problems of one config in a log line."""
_SHOWN = 5
"""Most problems of one config in the status."""

log = structlog.get_logger(__name__)


class ReloadTrigger(StrEnum):
    """Why the config is read again."""

    SAVE = "save"
    SIGNAL = "signal"
    REQUEST = "request"


class ConfigSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the config comes from: how it was read at the start, and how it is read again."""

    file: Path
    loaded: Loaded
    """What was read at the start. It has a config."""
    load: Callable[[Path, Files], Loaded]
    """Reads the file again, and all files through its second argument. Called in a thread."""
    check_tests: Callable[[Config, Path, Files], Sequence[str]] = lambda _config, _file, _files: ()
    """Returns which tests of a config in a file fail, a sentence each; those of other files are read through its last argument. Called in a thread."""

    @property
    def config(self) -> Config:
        """The config of the start."""
        assert self.loaded.config is not None  # noqa: S101 - whoever starts a daemon has one
        return self.loaded.config


class ReloadAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """The result of reading a config: its problems, or everything that is needed to activate it."""

    loaded: Loaded
    problems: Sequence[str] = ()
    failing: Sequence[str] = ()
    """Rule tests that fail, where they need not pass (`reload.require_tests: false`)."""
    runtime: RuntimeConfig | None = None
    """`None` where there are problems, and where the config is active already."""
    plan: Sequence[str] = ()
    bug: Mapping[str, object] | None = None
    """What to log of an unexpected error."""


class RefusedEdit(msgspec.Struct, frozen=True, kw_only=True):
    """The last config that was refused. It is forgotten when another one is activated."""

    at: datetime
    digest: str
    problems: Sequence[str]


class Reloader:
    """Reads the config again when asked to or when it is saved, and activates it or says why not; one reload at a time."""

    def __init__(
        self,
        source: ConfigSource,
        *,
        active: ActiveRuntime,
        followers: Sequence[Follower],
        signals: DaemonSignals,
        waiting: Callable[[], Mapping[str, int]],
        service: ServiceStatus,
        clock: Clock,
        note_config: Callable[[str, Action], None] = lambda _digest, _edit: None,
    ) -> None:
        """`followers` change what they have, in this order, when a config is activated. `waiting` is called in a thread.

        `waiting` returns how many deliveries wait, by destination. `note_config` keeps which config became active, and who saw to it.
        """
        self._source = source
        self._active = active
        self._followers = followers
        self._signals = signals
        self._waiting = waiting
        self._service = service
        self._clock = clock
        self._note_config = note_config
        self._activated = self._last = source.loaded
        """The last one that was looked at may have been refused."""
        self._refusal: RefusedEdit | None = None
        self._activations = self._refusals = 0
        self._turn = asyncio.Lock()
        self._reader = ConfigReader(source.file, clock=clock, responds_again=signals.reload_wanted.set)

    async def run(self) -> None:
        """Reload at each signal, forever."""
        while True:
            await self._signals.reload_wanted.wait()
            self._signals.reload_wanted.clear()
            await self._reload(ReloadTrigger.SIGNAL)

    async def watch(self) -> None:
        """Reload at each saved edit, forever. A task of its own, so that what cancels it is not first passed on by `run`."""
        await watch_saves(self._watched, self._note_save)

    async def reload(self, person: str = "") -> dict[str, object]:
        """Read the config again because a person asks for it; return the result for the client. Raises `RequestRefusedError` while stopping."""
        answer = await self._reload(ReloadTrigger.REQUEST, person)
        if answer is None:
            raise RequestRefusedError("the daemon is stopping; the next start reads the config")
        return answer

    async def diff(self, file: str) -> dict[str, object]:
        """Return what the config in that file would change, or what is wrong with it."""
        tried = await self._look(Path(file))
        return self._answer(tried, is_active=False)

    def status(self) -> ConfigReport:
        """Return which config is active since when, and what was wrong with a later one."""
        refusal = self._refusal
        return ConfigReport(
            file=str(self._source.file.absolute()),
            digest=self._activated.digest,
            in_force_since=self._active.since.isoformat(timespec="seconds"),
            watched=self._active.config.reload.watch,
            needs_restart=needs_restart(self._active.config, self._source.config),
            refused=None
            if refusal is None
            else RefusedConfigReport(
                at=refusal.at.isoformat(timespec="seconds"),
                problems=list(refusal.problems[:_SHOWN]),
                more=max(len(refusal.problems) - _SHOWN, 0),
            ),
            reloads=self._activations,
            reloads_refused=self._refusals,
            hangs=self._reader.status(),
        )

    @property
    def refused(self) -> RefusedEdit | None:
        """The last edit, if it was refused."""
        return self._refusal

    def _watched(self) -> Collection[Path | Entry]:
        if not self._active.config.reload.watch:
            return ()
        last, active = self._last, self._activated
        return {*active.files, *active.included, *last.files, *last.included}

    async def _note_save(self) -> None:
        await self._reload(ReloadTrigger.SAVE)

    async def _reload(self, by: ReloadTrigger, person: str = "") -> dict[str, object] | None:
        async with self._turn:
            if by is ReloadTrigger.SAVE and await self._is_current():
                return None
            self._service.reloading()
            try:
                return self._conclude(await self._look(self._source.file), by, person or f"({by})")
            finally:
                self._service.ready()

    async def _is_current(self) -> bool:
        try:
            return await self._reader.run(self._last.is_current)
        except ReloadHangsError:  # which the reload itself then reports
            return False

    async def _look(self, file: Path) -> ReloadAttempt:
        try:
            tried = await self._reader.run(partial(self._try, file))
        except ReloadHangsError as error:
            problems = (str(error),)
            return ReloadAttempt(loaded=Loaded(config=None, problems=problems, is_readable=False), problems=problems)
        if tried.bug is not None:
            log.error("reload.failed", **tried.bug)
        return tried

    # In a thread

    def _try(self, file: Path, files: Files) -> ReloadAttempt:
        """Look at the config in a file. Nothing that it holds may end the daemon."""
        loaded = Loaded(config=None)
        try:
            loaded = self._source.load(file, files)
            return self._judge(loaded, file, files)
        except Exception as error:  # noqa: BLE001 - a bug, whose text may hold a secret
            name = type(error).__name__
            return ReloadAttempt(
                loaded=loaded,
                problems=(f"{file}: cannot be loaded: {name}, a bug; the log has its place",),
                bug={"error": name, "trace": traceback.format_tb(error.__traceback__)},
            )

    def _judge(self, loaded: Loaded, file: Path, files: Files) -> ReloadAttempt:
        config = loaded.config
        if config is None:
            return ReloadAttempt(loaded=loaded, problems=loaded.problems)
        if loaded.files == self._activated.files:
            return ReloadAttempt(loaded=loaded)
        if vanished := [_gone(entry) for entry, found in loaded.included.items() if not found and self._matched(entry)]:
            return ReloadAttempt(loaded=loaded, problems=vanished)
        failing = list(self._source.check_tests(config, file, files))
        if failing and config.reload.require_tests:
            return ReloadAttempt(loaded=loaded, problems=failing)
        waiting = self._waiting() if config.destinations != self._active.config.destinations else {}
        sentences = plan(self._active.config, config, started_with=self._source.config, waiting=waiting)
        return ReloadAttempt(loaded=loaded, failing=failing, runtime=runtime_of(config), plan=shortened(sentences))

    def _matched(self, entry: Entry) -> bool:
        """Return whether an entry of `include` names files of the active config."""
        return bool(self._activated.included.get(entry))

    # In the loop

    def _conclude(self, tried: ReloadAttempt, by: ReloadTrigger, person: str) -> dict[str, object] | None:
        self._last = tried.loaded
        config = tried.loaded.config
        if tried.problems or config is None:
            self._refuse(tried, by)
            return self._answer(tried, is_active=False)
        if tried.runtime is None:
            self._note_unchanged(by)
            return self._answer(tried, is_active=True)
        if self._signals.stopped.is_set():
            return None
        previous = self._active.config
        restarted = self._activate(tried.runtime)
        for setting in needs_restart(config, self._source.config):
            if ONLY_AT_START[setting](config) != ONLY_AT_START[setting](previous):
                log.warning("reload.restart_needed", setting=setting, note="takes effect at the next start")
        if tried.failing:
            log.warning("reload.tests_failed", tests=shortened(tried.failing, _LOGGED))
        warn_of(tried.loaded)
        self._note_config(tried.loaded.digest, edit_of(tried.loaded.digest, tuple(tried.plan), person=person))
        self._activated, self._refusal = tried.loaded, None
        self._activations += 1
        log.info(
            "reload.done",
            by=by,
            digest=tried.loaded.digest,
            routes=len(config.routes),
            restarted=sorted(restarted),
            plan=list(tried.plan),
        )
        return self._answer(tried, is_active=True)

    def _activate(self, runtime: RuntimeConfig) -> set[str]:
        """Have everything change to another config, in one turn of the event loop; return what was restarted or ended."""
        self._active.activate(runtime, at=self._clock())
        return set().union(*(follower.follow(runtime) for follower in self._followers))

    def _refuse(self, tried: ReloadAttempt, by: ReloadTrigger) -> None:
        is_new = self._refusal is None or self._refusal.digest != tried.loaded.digest
        self._refusal = RefusedEdit(at=self._clock(), digest=tried.loaded.digest, problems=tried.problems)
        if by is ReloadTrigger.SAVE and not is_new:
            return
        self._refusals += 1
        problems = shortened(tried.problems, _LOGGED)
        if tried.loaded.is_readable:
            log.error("reload.refused", by=by, problems=problems, note="the running config stays active")
        else:
            note = "the running config stays active"
            if self._active.config.reload.watch:
                note += "; the file is loaded when it is back"
            log.warning("reload.unreadable", by=by, problems=problems, note=note)

    def _note_unchanged(self, by: ReloadTrigger) -> None:
        if self._refusal is not None:
            self._refusal = None
            log.info("reload.undone", by=by, note="the files are the same as the active config again")
        elif by is not ReloadTrigger.SAVE:
            log.info("reload.unchanged", by=by, note="the files are the same as the active config")
            warn_of(self._activated)

    def _answer(self, tried: ReloadAttempt, *, is_active: bool) -> dict[str, object]:
        return {
            "applied": is_active,
            "file": str(self._source.file.absolute()),
            "digest": tried.loaded.digest,
            "changed": tried.runtime is not None,
            "plan": list(tried.plan),
            "problems": list(tried.problems),
            "failing_tests": list(tried.failing),
            "warnings": list(tried.loaded.warnings),
        }


def _gone(entry: Entry) -> str:
    """Return the problem of a pattern without files, which are perhaps about to be replaced as a whole: its routes would be lost for that time."""
    return (
        f"include: no file matches {entry.folder / entry.written} any more, and the active config has files of it; "
        "if this is meant, remove the pattern, or keep one file that says `routes: []`"
    )


def warn_of(loaded: Loaded) -> None:
    """Log the warnings about a config."""
    for warning in loaded.warnings:
        log.warning("config.warning", note=warning)
