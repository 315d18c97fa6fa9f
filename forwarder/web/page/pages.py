"""The views of the page: each answers a request with HTML that needs no JavaScript to be read."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import yaml
from aiohttp import web

from forwarder.core.history import Query
from forwarder.core.monitoring.status import StatusReport
from forwarder.core.monitoring.verdict import Verdict
from forwarder.core.posts import Post, read_beginning, read_post
from forwarder.core.text import web_address
from forwarder.threads import start_in_thread
from forwarder.web.config_view import ConfigView
from forwarder.web.guard import LOGIN_PAGE, OPEN_TO_ALL
from forwarder.web.page.bars import attempt_bars, gap_rows, stream_lines
from forwarder.web.page.health import LEVEL_MARKS, HealthWords, health_of_outbox
from forwarder.web.page.overview import destination_rows, stream_rows
from forwarder.web.page.search import PERIODS, STATES, Asked, asked_of, place_of
from forwarder.web.page.static_files import StaticFiles
from forwarder.web.page.words import pretty_json
from forwarder.web.ports import DaemonAccess, UnavailableError
from forwarder.web.records import DeadGroup, DeliveryPage, EventPage, StoredAction, StoredEvent

if TYPE_CHECKING:
    from forwarder.web.page.rendering import Rendering

VIEWS = (
    ("overview", "/", "Overview"),
    ("live", "/live", "Live"),
    ("events", "/events", "Events"),
    ("dead", "/dead", "Dead letters"),
    ("gaps", "/gaps", "Gaps"),
    ("rules", "/rules", "Rules"),
    ("config", "/config", "Config"),
    ("actions", "/actions", "Actions"),
)
_LOGIN = "/login"
_MOST_BODY = 200_000
"""How many characters of a payload are shown."""
_MOST_CHILDREN = 40
"""How many parts of one condition are shown."""
_MOST_ROUTES = 100
"""How many routes that do not match are shown of one event."""
_MOST_GROUPS = 200
_MOST_GAPS = 500
_MOST_ACTIONS = 500
_NAMES = "destinations"
"""What the routing has for its names alone, and the settings have whole."""
_PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_PERIOD_NAMES = (("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"))
_EXAMPLE = {
    "source": "x",
    "mid": "1",
    "sid": "2",
    "timestamp": 1767225600000,
    "payload": {"text": "Will list $ABC", "author": {"screen_name": "exchange"}},
}

View = Callable[[web.Request], Awaitable[web.Response]]


class PageViews:
    """Answers the requests of a browser."""

    def __init__(self, daemon: DaemonAccess) -> None:
        self._daemon = daemon
        self._static = StaticFiles()
        self._rendering: Rendering | None = None
        self._config: tuple[ConfigView, asyncio.Future[tuple[str, str]]] | None = None
        """The config that was shown last, and what its two parts are as YAML."""

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        add = application.router.add_get
        add("/static/{digest}/{name}", self._static.serve)
        add(_LOGIN, self.login)
        add("/", self._guarded(self.overview))
        add("/live", self._guarded(self.live))
        add("/events", self._guarded(self.events))
        add("/events/{id}", self._guarded(self.event))
        add("/dead", self._guarded(self.dead))
        add("/gaps", self._guarded(self.gaps))
        add("/config", self._guarded(self.config))
        add("/actions", self._guarded(self.actions))
        add("/rules", self._guarded(self.rules))
        application[LOGIN_PAGE] = _LOGIN
        application[OPEN_TO_ALL] = application.get(OPEN_TO_ALL, frozenset()) | {_LOGIN, "/static/"}

    def _guarded(self, view: View) -> View:
        """Return a view that answers with a page also where what is asked for cannot be had."""

        async def answer(request: web.Request) -> web.Response:
            counting = asyncio.ensure_future(self._daemon.backlog())  # for the verdict, while the view reads
            try:
                return await view(request)
            except UnavailableError as error:
                return await self._problem(503, "Not available now", f"{error}")
            except ValueError:
                return await self._problem(
                    400, "Not understood", "The address of this page is not one that forwarder has made."
                )
            finally:
                counting.cancel()

        return answer

    async def overview(self, _request: web.Request) -> web.Response:
        """Show the verdict, streams, destinations, config and outbox."""
        # at the same time: a disk that does not answer holds up both
        backlog, verdict = await asyncio.gather(self._daemon.backlog(), self._daemon.verdict())
        status = self._daemon.status()
        return await self._page(
            "overview",
            verdict=verdict,
            status=status,
            backlog=backlog,
            destinations=destination_rows(status, backlog),
            streams=stream_rows(status),
            outbox=health_of_outbox(status.outbox),
        )

    async def live(self, _request: web.Request) -> web.Response:
        """Show what passes. The script of the page fills it."""
        return await self._page("live")

    async def events(self, request: web.Request) -> web.Response:
        """Show the list of events, searched and in pages."""
        asked = asked_of(request.query)
        if asked.event_id:
            return web.Response(status=303, headers={"Location": f"/events/{asked.event_id}"})
        problem, found = "", EventPage(events=[])
        try:
            found = await self._daemon.events(asked.query(self._daemon.now()))
        except UnavailableError as error:
            problem = str(error)
        status = self._daemon.status()
        return await self._page(
            "events",
            code=503 if problem else 200,
            asked=asked,
            states=STATES,
            periods=PERIODS,
            events=found.events,
            known_destinations=sorted(status.destinations),
            known_routes=sorted(status.routes),
            problem=problem,
            first_page=asked.address("/events", after="") if asked.after else "",
            next_page="" if found.next is None else asked.address("/events", after=place_of(found.next)),
        )

    async def event(self, request: web.Request) -> web.Response:
        """Show one event: what came, where it went, and why."""
        found = await self._daemon.event(request.match_info["id"])
        seq = request.query.get("seq")
        event = next((each for each in reversed(found) if seq is None or str(each.event_seq) == seq), None)
        if event is None:
            return await self._problem(
                404,
                "No such event",
                "No event with this id is in the outbox: it did not come, or it is no longer kept.",
            )
        problem, routing = "", None
        try:
            routing = await self._daemon.explain(event.event_seq)
        except UnavailableError as error:
            problem = str(error)
        post, body = await start_in_thread(partial(_payload, event), name="show payload")
        return await self._page(
            "event",
            view="events",
            event=event,
            text=post.text or event.text,
            link=web_address(post.link),
            others=[each for each in found if each is not event and each.event_id == event.event_id],
            deliveries=[{"delivery": each, "bars": attempt_bars(each)} for each in event.deliveries],
            known_destinations=self._daemon.status().destinations,
            routing=routing,
            problem=problem,
            most_children=_MOST_CHILDREN,
            most_routes=_MOST_ROUTES,
            body=body[:_MOST_BODY],
            body_size=event.body_bytes or 0,
            body_is_cut=event.body_is_cut or len(body) > _MOST_BODY,
        )

    async def dead(self, request: web.Request) -> web.Response:
        """Show the dead letters: groups by reason, and the letters of one of them."""
        asked = asked_of(request.query)
        query = asked.query(self._daemon.now())
        problem, groups, found = "", list[DeadGroup](), DeliveryPage(deliveries=[])
        try:
            of_groups = msgspec.structs.replace(query, limit=_MOST_GROUPS, after=None)
            groups, found = await asyncio.gather(self._daemon.dead_groups(of_groups), self._daemon.dead_letters(query))
        except UnavailableError as error:
            problem = str(error)
        return await self._page(
            "dead",
            code=503 if problem else 200,
            asked=asked,
            groups=[
                {
                    "group": each,
                    "address": Asked(destination=each.destination, reason=each.reason, state=each.status).address(
                        "/dead"
                    ),
                    "group_json": json.dumps(
                        {
                            "destination": each.destination,
                            "reason": each.reason,
                            "status": each.status,
                            "count": each.count,
                            "last_at": each.last_at,
                        }
                    ),
                }
                for each in groups
            ],
            total=sum(each.count for each in groups),
            letters=found.deliveries,
            known_destinations=sorted(self._daemon.status().destinations),
            problem=problem,
            first_page=asked.address("/dead", after="") if asked.after else "",
            next_page="" if found.next is None else asked.address("/dead", after=place_of(found.next)),
        )

    async def gaps(self, request: web.Request) -> web.Response:
        """Show the streams on a time line, and their gaps."""
        period, now, begins = self._period(request, "24h")
        query = Query(since_ms=round(begins.timestamp() * 1000), limit=_MOST_GAPS)
        gaps = await self._daemon.gaps(query, stream=None, only_open=False)
        return await self._page(
            "gaps",
            period=period,
            periods=_PERIOD_NAMES,
            begins_at=begins.isoformat(timespec="seconds"),
            lines=stream_lines(self._daemon.status().streams, gaps, begins=begins, now=now),
            gaps=gap_rows(gaps),
            problem="",
        )

    async def actions(self, request: web.Request) -> web.Response:
        """Show what people did."""
        period, _now, begins = self._period(request, "30d")
        problem, found = "", list[StoredAction]()
        try:
            query = Query(since_ms=round(begins.timestamp() * 1000), limit=_MOST_ACTIONS)
            found = await self._daemon.actions(query)
        except UnavailableError as error:
            problem = str(error)
        return await self._page(
            "actions",
            code=503 if problem else 200,
            period=period,
            periods=_PERIOD_NAMES,
            actions=found,
            most=_MOST_ACTIONS,
            problem=problem,
        )

    def _period(self, request: web.Request, usual: str) -> tuple[str, datetime, datetime]:
        """Return the period that is asked for, now, and when the period began."""
        asked = request.query.get("period", usual)
        period, now = asked if asked in _PERIODS else usual, self._daemon.now()
        return period, now, now - _PERIODS[period]

    async def config(self, _request: web.Request) -> web.Response:
        """Show the active config, and the last edit that was refused."""
        config = await self._daemon.config()
        kept = self._config
        if kept is None or (kept[0].digest, kept[0].active_since) != (config.digest, config.active_since):
            self._config = kept = config, start_in_thread(partial(_parts_of, config), name="write config")
        settings, routing = await asyncio.shield(kept[1])
        return await self._page(
            "config",
            config=config,
            settings=settings,
            routing=routing,
            problem="",
        )

    async def rules(self, _request: web.Request) -> web.Response:
        """Offer to try rules. The script of the page does it."""
        return await self._page("rules", example=json.dumps(_EXAMPLE, indent=2))

    async def login(self, _request: web.Request) -> web.Response:
        """Ask for the token. It shows nothing of the daemon."""
        now = self._daemon.now()
        values = {"view": "login", "views": (), "level": None, "version": ""}
        text = await start_in_thread(partial(self._render, "login", now, values), name="render page")
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def _problem(self, status: int, title: str, text: str) -> web.Response:
        return await self._page("error", code=status, title=title, text=text)

    async def _page(
        self, name: str, *, view: str | None = None, code: int = 200, verdict: Verdict | None = None, **values: object
    ) -> web.Response:
        """Return a template as an answer. It is rendered in a thread: a long list must not hold up deliveries."""
        status: StatusReport = self._daemon.status()
        if verdict is None:
            verdict = await self._daemon.verdict()
        common: Mapping[str, Any] = {
            "view": view or name,
            "views": VIEWS,
            "version": status.version,
            "level": HealthWords(LEVEL_MARKS[verdict.level], verdict.level),
            "verdict": verdict,
        }
        now = self._daemon.now()
        text = await start_in_thread(partial(self._render, name, now, {**common, **values}), name="render page")
        return web.Response(status=code, text=text, content_type="text/html", charset="utf-8")

    def _render(self, name: str, now: datetime, values: Mapping[str, Any]) -> str:
        """Return a template as text. In a thread; what templates need is loaded with the first view, and never for health checks alone."""
        if self._rendering is None:
            from forwarder.web.page.rendering import Rendering  # noqa: PLC0415 - see above

            self._rendering = Rendering(self._static)
        return self._rendering.render(f"{name}.html", now=now, **values)


def _payload(event: StoredEvent) -> tuple[Post, str]:
    """Return the post of an event, and its body to be read. Of a large one there is only the beginning, which is left as it is."""
    body = event.body or ""
    if event.body_is_cut:
        return read_beginning(body.encode()), body
    return read_post(body.encode()), pretty_json(body) or body


def _parts_of(config: ConfigView) -> tuple[str, str]:
    """Return the settings and the routing part as YAML."""
    settings = {key: each for key, each in config.settings.items() if key not in config.routing or key == _NAMES}
    return _written(settings), _written({key: each for key, each in config.routing.items() if key != _NAMES})


def _written(value: object) -> str:
    """Return a part of the config as YAML."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
