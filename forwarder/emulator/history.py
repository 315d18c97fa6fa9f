"""The REST history of the local scrape.st, from which gaps are repaired: tracked X accounts, and their posts.

Every event of source `x` that the emulator is asked to send is kept here, even while no client is connected. It is served with fewer
fields, as the documentation of the real service shows it.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from forwarder.core.gaps.history_api import PAGE_SIZE, RECENT_ACCOUNTS, RECENT_FOR
from forwarder.core.posts.fields import time_of_ms

_KEPT = 20_000
"""How many posts are kept; the oldest are dropped first."""
_DEFAULT_LIMIT = 50
_FIELDS = ("id", "text", "created_at", "favorite_count", "retweet_count", "reply_count")
_AUTHOR_FIELDS = ("id", "name", "screen_name")
_NOT_FOUND = {"status": "not_found", "error": "Source not found for the given internal ID."}


class _Event(msgspec.Struct):
    source: str
    mid: str | int
    sid: str | int
    timestamp: float
    payload: msgspec.Raw


_decode = msgspec.json.Decoder(_Event).decode
_decode_payload = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    number: int
    sid: str
    mid: str
    at: datetime
    payload: bytes
    """The payload as it was sent."""

    @property
    def id(self) -> str:
        return f"cm{self.number:012}"

    def shown(self) -> dict[str, object]:
        payload = _decode_payload(self.payload)
        author = payload.get("author")
        author = author if isinstance(author, dict) else {}
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "id": self.id,
            "source": "X",
            "messageId": self.mid,
            "sourceId": self.sid,
            "content": payload.get("text", ""),
            "rawPayload": {"id": self.mid, "created_at": at}
            | {name: payload[name] for name in _FIELDS if name in payload}
            | {"author": {"id": self.sid} | {name: author[name] for name in _AUTHOR_FIELDS if name in author}},
            "createdAt": at,
        }


@dataclass(slots=True)
class HistoryStats:
    """Counts the requests of the history."""

    listed: int = 0
    """Responses to `GET /track/x`."""
    asked: int = 0
    """Responses to `GET /account/history/:id`."""
    recent: int = 0
    """Responses to `GET /x/tweets/recent`."""
    limited: int = 0
    """Responses with status 429."""


class PostHistory:
    """Keeps posts by account and serves them. An account is tracked once it has posted, or by `track`."""

    def __init__(self, *, limit: int = 30, per_s: float = 60.0, has_recent: bool = True) -> None:
        """Allows `limit` requests in each `per_s`, counted over a sliding window as on the real service.

        With `has_recent` False there is no `GET /x/tweets/recent`.
        """
        self._has_recent = has_recent
        self._limit = limit
        self._per_s = per_s
        self._records: deque[_Record] = deque(maxlen=_KEPT)
        self._accounts: dict[str, dict[str, object]] = {}
        self._asked_at: deque[float] = deque()
        self._number = 0
        self.stats = HistoryStats()

    def track(self, sid: str, username: str, name: str = "") -> str:
        """Track an account; return the id that scrape.st gives it."""
        id_ = f"cl{sid}"
        self._accounts.setdefault(id_, {"name": name or username, "username": username, "id": id_, "externalId": sid})
        return id_

    def untrack(self, sid: str) -> None:
        """Stop tracking an account; the response to its history is 404 then."""
        self._accounts.pop(f"cl{sid}", None)

    def note(self, frame: bytes) -> None:
        """Keep a frame if it is a post of X."""
        if b'"x"' not in frame:
            return
        try:
            event = _decode(frame)
            if event.source != "x":
                return
            mid, sid = str(event.mid), str(event.sid)
            if f"cl{sid}" not in self._accounts:
                self._track_author(sid, _decode_payload(event.payload))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        at = time_of_ms(event.timestamp) or datetime.now(UTC)
        self._number += 1
        self._records.append(_Record(number=self._number, sid=sid, mid=mid, at=at, payload=bytes(event.payload)))

    def _track_author(self, sid: str, payload: Mapping[str, object]) -> None:
        author = payload.get("author")
        author = author if isinstance(author, dict) else {}
        self.track(sid, str(author.get("screen_name") or f"user_{sid}"), str(author.get("name") or ""))

    # What clients see

    def list_tracked(self) -> web.Response:
        """Answer `GET /track/x`."""
        self.stats.listed += 1
        accounts = list(self._accounts.values())
        said = f"{len(accounts)} sources tracked on x"
        if not accounts:
            said = "No sources are being tracked by this api key for x"
        return web.json_response({"data": accounts, "message": said})

    def show(self, id_: str, query: Mapping[str, str]) -> web.Response:
        """Answer `GET /account/history/:id`."""
        if not self._take_turn():
            return _too_many(self._per_s)
        self.stats.asked += 1
        account = self._accounts.get(id_)
        if account is None:
            return web.json_response(_NOT_FOUND, status=404)
        try:
            return web.json_response(self._page(str(account["externalId"]), query))
        except ValueError as error:
            return web.json_response({"status": "fail", "error": str(error), "issues": []}, status=422)

    def show_recent(self, query: Mapping[str, str]) -> web.Response:
        """Answer `GET /x/tweets/recent`: the whole posts of the last 24 hours, in the order in which they were sent."""
        if not self._has_recent:
            return web.Response(status=404)
        if not self._take_turn():
            return _too_many(self._per_s)
        self.stats.recent += 1
        sids = {sid for sid in query.get("uids", "").split(",") if sid}
        if not 1 <= len(sids) <= RECENT_ACCOUNTS:
            said = f"from 1 to {RECENT_ACCOUNTS} accounts"
            return web.json_response({"status": "error", "error": said}, status=400)
        try:
            since = time_of_ms(int(query.get("since", "1")))
        except ValueError as error:
            return web.json_response({"status": "fail", "error": str(error), "issues": []}, status=422)
        since = max(since or datetime.now(UTC), datetime.now(UTC) - RECENT_FOR)
        found = [record for record in self._records if record.sid in sids and record.at >= since]
        return web.json_response({"tweets": [_decode_payload(record.payload) for record in found]})

    def _take_turn(self) -> bool:
        now = time.monotonic()
        while self._asked_at and now - self._asked_at[0] >= self._per_s:
            self._asked_at.popleft()
        if len(self._asked_at) >= self._limit:
            self.stats.limited += 1
            return False
        self._asked_at.append(now)
        return True

    def _page(self, sid: str, query: Mapping[str, str]) -> dict[str, object]:
        limit = int(query.get("limit", _DEFAULT_LIMIT))
        if not 1 <= limit <= PAGE_SIZE:
            raise ValueError(f"limit must be from 1 to {PAGE_SIZE}")
        order = query.get("order", "desc")
        if order not in {"asc", "desc"}:
            raise ValueError("Order must be 'asc' or 'desc'")
        since = datetime.fromisoformat(query["startDate"]) if "startDate" in query else None
        until = datetime.fromisoformat(query["endDate"]) if "endDate" in query else None
        records = [
            record
            for record in self._records
            if record.sid == sid
            and (since is None or record.at >= since)
            and (until is None or record.at <= until)
            and query.get("messageId", record.mid) == record.mid
        ]
        records.sort(key=lambda record: (record.at, record.number), reverse=order == "desc")
        if "cursor" in query:
            ids = [record.id for record in records]
            records = records[ids.index(query["cursor"]) + 1 :] if query["cursor"] in ids else []
        page = records[:limit]
        return {
            "data": [record.shown() for record in page],
            "nextCursor": page[-1].id if len(page) == limit else None,
            "limit": limit,
            "backfillTriggered": False,
        }


def _too_many(per_s: float) -> web.Response:
    body = {
        "status": "error",
        "error": "Too many requests. Please try again later.",
        "retry_after": int(per_s) if per_s >= 1 else per_s,
    }
    return web.json_response(body, status=429)
