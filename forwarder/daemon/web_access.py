"""The running daemon, as the page and the API over HTTP see it. It is loaded only where the config asks for HTTP."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.commands import Request
from forwarder.core.config import Config
from forwarder.core.config.problem_places import problem_of
from forwarder.core.config.revision import unpacked
from forwarder.core.config.shareable import secrets_of, shareable
from forwarder.core.delivery import event_of
from forwarder.core.delivery_waits import DeliveryWaits
from forwarder.core.event import JSONValue
from forwarder.core.history import Cursor, History, Query, Record
from forwarder.core.masking import masked
from forwarder.core.monitoring.status import Backlog, StatusReport
from forwarder.core.monitoring.verdict import Verdict, judge
from forwarder.core.monitoring.whole_backlog import whole_backlog
from forwarder.core.past_routing import PastRouting, config_then, explain_past
from forwarder.core.posts import MOST_WHOLE_BYTES
from forwarder.core.yaml.tree import Expanded, Sealed, Tree
from forwarder.daemon.history_reads import HistoryReader
from forwarder.daemon.refused_edit import with_excerpts
from forwarder.daemon.rule_runs import RuleRuns
from forwarder.daemon.web import WebParts
from forwarder.threads import start_in_thread
from forwarder.web.config_view import ConfigView, RefusedConfig
from forwarder.web.ports import LiveSource
from forwarder.web.records import (
    DeadGroup,
    DeliveryPage,
    EventPage,
    StoredAction,
    StoredDelivery,
    StoredEvent,
    StoredGap,
)
from forwarder.web.rule_trials import BacktestResult, BacktestWanted, RuleTrial, TrialResult

_SHOWN_PROBLEMS = 100
_MOST_LARGE_READS = 2
"""How many reads of whole events are under way at the same time: each may hold all of a large one."""
_EXPLAINED_BYTES = 1 << 20
"""A larger event is not explained in this process: nothing else would run meanwhile."""

_T = TypeVar("_T")


class WebAccess:
    """Answers the questions of `web.ports.DaemonAccess`; its docstrings are there."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._reader = HistoryReader(parts.outbox)
        self._event_reader = HistoryReader(parts.outbox, most=_MOST_LARGE_READS)
        self._rules = RuleRuns(parts.outbox)

    def now(self) -> datetime:
        return utc_now()

    def status(self) -> StatusReport:
        return self._parts.status()

    async def backlog(self) -> Backlog | None:
        return whole_backlog(await self._parts.backlog.read(), self.status().outbox)

    async def verdict(self) -> Verdict:
        backlog = await self.backlog()
        return judge(self.status(), now=utc_now(), unrepaired_gaps=0 if backlog is None else backlog.unrepaired_gaps)

    # The history

    async def events(self, query: Query) -> EventPage:
        waits = self._waits()

        def read(history: History) -> EventPage:
            listed = [each | {"body": None} for each in history.events(_one_more(query))]
            found, has_more = _page(listed, query)
            events = _values(list(map(waits(history).of_event, found)), list[StoredEvent])
            if not (has_more and events):
                return EventPage(events=events)
            last = events[-1]
            return EventPage(events=events, next=Cursor(at_ms=_ms_of(last.accepted_at), seq=last.event_seq))

        return await self._reader.read(read)

    async def event(self, text: str) -> list[StoredEvent]:
        waits = self._waits()

        def read(history: History) -> list[StoredEvent]:
            found = [_with_beginning(each) for each in _event(history, text)]
            return _values(list(map(waits(history).of_event, found)), list[StoredEvent])

        return await self._event_reader.read(read)

    async def body(self, event_seq: int) -> bytes | None:
        def read(history: History) -> bytes | None:
            record = history.event_at(event_seq)
            return None if record is None else _bytes_of(record)

        return await self._event_reader.read(read)

    async def explain(self, event_seq: int) -> PastRouting | None:
        runtime = self._parts.active.runtime

        def read(history: History) -> PastRouting | None:
            record = history.event_at(event_seq)
            if record is None:
                return None
            if len(record["body"]) > _EXPLAINED_BYTES:
                return PastRouting(
                    why_not="The event is too large to be explained here; `forwarder explain` with its id does it."
                )
            then = config_then(history.revision_at(event_seq), runtime.config)
            return explain_past(record, then, runtime.config, router=runtime.routing_table.router)

        return await self._event_reader.read(read)

    async def deliveries(self, query: Query) -> DeliveryPage:
        waits = self._waits()

        def read(history: History) -> DeliveryPage:
            found = map(waits(history).of_delivery, history.deliveries(_one_more(query)))
            return _delivery_page(list(found), query, by="accepted_at")

        return await self._reader.read(read)

    async def dead_letters(self, query: Query) -> DeliveryPage:
        def read(history: History) -> DeliveryPage:
            return _delivery_page(list(history.dead_letters(_one_more(query))), query, by="closed_at")

        return await self._reader.read(read)

    async def dead_groups(self, query: Query) -> list[DeadGroup]:
        return await self._reader.read(lambda history: _values(list(history.dead_groups(query)), list[DeadGroup]))

    async def dead_keys(self, ids: Sequence[str]) -> list[tuple[int, str]]:
        return await self._reader.read(lambda history: history.dead_keys(list(ids)))

    async def gaps(self, query: Query, *, stream: str | None, only_open: bool) -> list[StoredGap]:
        return await self._reader.read(
            lambda history: _values(list(history.gaps(query, stream=stream, only_open=only_open)), list[StoredGap])
        )

    async def actions(self, query: Query) -> list[StoredAction]:
        return await self._reader.read(lambda history: _values(list(history.actions(query)), list[StoredAction]))

    def _waits(self) -> Callable[[History], DeliveryWaits]:
        """Return what knows what deliveries wait for now, for the thread that reads them."""
        destinations, now = self.status().destinations, utc_now()
        return lambda history: DeliveryWaits(history, destinations, now=now)

    # The config

    async def config(self) -> ConfigView:
        status, config = self._parts.reloader.status(), self._parts.active.config
        settings, routing = await start_in_thread(partial(_shown, config), name="show config")
        return ConfigView(
            file=status.file,
            digest=status.digest,
            active_since=status.in_force_since,
            needs_restart=status.needs_restart,
            settings=settings,
            routing=routing,
            refused=await self._refused(Path(status.file)),
        )

    async def _refused(self, config: Path) -> RefusedConfig | None:
        refused = self._parts.reloader.refused
        if refused is None:
            return None
        problems = [problem_of(text) for text in refused.problems[:_SHOWN_PROBLEMS]]
        read = partial(with_excerpts, problems, config=config, at=refused.at)
        return RefusedConfig(
            at=refused.at.isoformat(timespec="seconds"),
            problems=await start_in_thread(read, name="read refused config"),
            more=max(len(refused.problems) - _SHOWN_PROBLEMS, 0),
        )

    async def try_rules(self, trial: RuleTrial) -> TrialResult:
        return await self._rules.try_rules(trial, self._parts.active.config)

    async def backtest(self, wanted: BacktestWanted) -> BacktestResult:
        return await self._rules.backtest(wanted, self._parts.active.config)

    # The rest

    async def change(self, request: Request, person: str) -> BaseModel | dict[str, object]:
        return await self._parts.change(request, person)

    @property
    def live(self) -> LiveSource:
        return self._parts.live


def _event(history: History, text: str) -> Iterator[Record]:
    """Yield the acceptances of an event, one at a time: each may be large."""
    if text.startswith("#"):
        numbers = [int(text[1:])]
    else:
        event_id = (event_of(text) or (text, ""))[0]
        numbers = [each["event_seq"] for each in history.find_events(event_id) if each["event_id"] == event_id]
    for number in numbers:
        record = history.event_at(number)
        if record is not None:
            yield record


def _with_beginning(event: Record) -> Record:
    """Return the record of an event with the beginning of a large body."""
    body = _bytes_of(event)
    if len(body) <= MOST_WHOLE_BYTES:
        return event | {"body_bytes": len(body)}
    beginning = body[:MOST_WHOLE_BYTES].decode("utf-8", "ignore")
    return event | {"body": beginning, "body_is_cut": True, "body_bytes": len(body)}


def _bytes_of(event: Record) -> bytes:
    body: str = event["body"]
    return body.encode("utf-8", "surrogateescape")


def _one_more(query: Query) -> Query:
    """Return the query for one record more, which shows whether there is another page."""
    return msgspec.structs.replace(query, limit=query.limit + 1) if query.limit >= 0 else query


def _page(found: list[Record], query: Query) -> tuple[list[Record], bool]:
    """Return the records of a page, and whether there are more."""
    has_more = 0 <= query.limit < len(found)
    return (found[: query.limit], True) if has_more else (found, False)


def _delivery_page(found: list[Record], query: Query, *, by: str) -> DeliveryPage:
    shown, has_more = _page(found, query)
    deliveries = _values(shown, list[StoredDelivery])
    if not (has_more and deliveries):
        return DeliveryPage(deliveries=deliveries)
    last = shown[-1]
    return DeliveryPage(
        deliveries=deliveries,
        next=Cursor(at_ms=_ms_of(last[by]), seq=last["event_seq"], destination=last["destination"]),
    )


def _ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _values(records: Sequence[Record], kind: type[_T]) -> _T:
    """Return records as values. What is not UTF-8 in them is replaced, because JSON cannot hold it."""
    return msgspec.convert(_sound(records), kind)


def _sound(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the value with a mark in the place of each character that UTF-8 cannot hold."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _sound(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_sound(below) for below in value]
    return value


def _shown(config: Config) -> tuple[JSONValue, JSONValue]:
    """Return the settings and the routing part of a config, without secrets."""
    secrets = tuple(secrets_of(config))
    revision = config.revision
    tree = {} if revision is None else unpacked(revision.data).tree
    return _without(shareable(config), secrets), _without(_written(tree), secrets)


def _written(tree: Tree) -> JSONValue:
    """Return a part of the config as it is written: with the names of variables, and not with their values."""
    if isinstance(tree, dict):
        return {key: _written(below) for key, below in tree.items()}
    if isinstance(tree, list):
        return [_written(below) for below in tree]
    return tree.written if isinstance(tree, Expanded | Sealed) else str(tree)


def _without(value: JSONValue, secrets: tuple[str, ...]) -> JSONValue:
    match value:
        case str():
            return str(_sound(masked(value, secrets)))
        case dict():
            return {key: _without(below, secrets) for key, below in value.items()}
        case list():
            return [_without(below, secrets) for below in value]
        case _:
            return value
