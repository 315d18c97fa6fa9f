"""What scrape.st's history of X accounts returns, and how a post in it becomes an event. Pure, and total on any JSON.

Responses are read liberally: the documented names first, then others from older documentation and from the server's own source. The
history may have less of a post than the stream; the post is used as it is there.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import msgspec

from forwarder.core.event import JSONValue, NotAnEventError, decode_event
from forwarder.core.posts.fields import mapping, text, time_of_ms, time_of_text

SOURCE = "x"
PAGE_SIZE = 100
"""The largest page that the history returns, in posts."""
RECENT_ACCOUNTS = 100
"""How many accounts may be in one request for recent posts."""
RECENT_FOR = timedelta(hours=24)
"""How long the server keeps recent posts in memory."""
_LISTS = ("data", "accounts", "sources", "tracked", "tweets", "posts")
"""The keys under which a response may have its list."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""A valid account id: it becomes a part of a URL."""
_SNOWFLAKE = re.compile(r"[0-9]{15,19}")
_TWITTER_EPOCH_MS = 1_288_834_974_657
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT_WITHIN = timedelta(seconds=2)
"""X writes times in whole seconds. An id that gives nearly the same time gives it to the millisecond."""
_OTHER_SOURCES = ("telegram", "discord", "rss", "web")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Is an X account that the key tracks."""

    id: str
    """The id of scrape.st, which its history is requested with."""
    sid: str
    """The id of X, which events have; "" if it is unknown."""
    name: str
    """The name to show to people."""


ANYBODY = Account(id="", sid="", name="")
"""Stands for no account in particular: each post says who wrote it."""


class Accounts(msgspec.Struct, frozen=True):
    """Holds the tracked accounts."""

    known: list[Account]
    odd: int = 0
    """How many more are tracked whose record cannot be read."""


class TimeSpan(msgspec.Struct, frozen=True):
    """Is a time span that includes both ends. Times are aware, in UTC."""

    since: datetime
    until: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.since <= at <= self.until


class HistoryPost(msgspec.Struct, frozen=True, kw_only=True):
    """Is a post of the history, as an event."""

    mid: str
    at: datetime
    """When it was written."""
    frame: bytes
    """The frame that the stream would have sent, as far as the history has its content."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Holds one response of the history."""

    posts: list[HistoryPost]
    """The posts of the requested span, oldest first."""
    cursor: str | None
    """Where the next page begins; `None` if nothing of the span is left."""
    odd: int = 0
    """How many records cannot be read."""


def read_json(body: bytes) -> JSONValue:
    """Return the JSON of a response. Raises `ValueError` if it is not JSON, or nested too deeply."""
    try:
        value: JSONValue = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested deeper than a parser takes") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def accounts_of(answer: JSONValue) -> Accounts | None:
    """Return the accounts in a response to `GET /track/x`; `None` if it has no list."""
    records = _records(answer)
    if records is None:
        return None
    known: dict[str, Account] = {}
    odd = 0
    for record in records:
        account = _account(record)
        if account is not None:
            known[account.id] = account
        elif not _is_of_another_source(record):
            odd += 1
    total = answer.get("total") if isinstance(answer, dict) else None
    if isinstance(total, int):
        odd = max(odd, total - len(records))
    return Accounts(list(known.values()), odd)


def _account(record: JSONValue) -> Account | None:
    if not isinstance(record, dict) or _is_of_another_source(record):
        return None
    record = mapping(record.get("sourceInfo")) or record
    sid = text(record, "externalId", "eid", "userId", "sid")
    id_ = text(record, "id", "iid") or sid
    if not _ID.fullmatch(id_):
        return None
    return Account(id=id_, sid=sid, name=text(record, "username", "name") or sid or id_)


def page_of(answer: JSONValue, account: Account, span: TimeSpan) -> Page | None:
    """Return a page of an account's history; `None` if the response has no list of posts.

    Pages are requested from the oldest post on. If they come in the opposite order, reading still ends at the other end of the span.
    """
    records = _records(answer)
    if records is None:
        return None
    found: dict[str, HistoryPost] = {}
    times: list[datetime] = []
    odd = 0
    for record in records:
        post = _post(record, account)
        if post is None:
            odd += not _is_of_another_source(record)
            continue
        times.append(post.at)
        if post.at in span:
            found[post.mid] = post
    return Page(
        posts=sorted(found.values(), key=lambda post: (post.at, len(post.mid), post.mid)),
        cursor=None if _is_beyond(times, span) else _cursor(answer, records),
        odd=odd,
    )


def _post(record: JSONValue, account: Account) -> HistoryPost | None:
    """Return the post in a record of the history, or in a bare post; `None` if there is none, or if it cannot be an event."""
    if not isinstance(record, dict) or _is_of_another_source(record):
        return None
    payload = _payload(record)
    if payload is None:
        return None
    mid = text(payload, "id", "id_str") or text(record, "messageId")
    sid = text(mapping(payload.get("author")), "id") or text(record, "sourceId") or account.sid
    exact = time_of_id(mid)
    at = _time(payload.get("created_at")) or _time(record.get("createdAt")) or exact
    if not (mid and sid) or at is None:
        return None
    if exact is not None and abs(exact - at) < _EXACT_WITHIN:
        at = exact
    frame = _frame(mid, sid, at, payload)
    return None if frame is None else HistoryPost(mid=mid, at=at, frame=frame)


def _payload(record: dict[str, JSONValue]) -> dict[str, JSONValue] | None:
    """Return the payload of X, which a record has under `rawPayload`; a bare post is itself the payload."""
    raw = record.get("rawPayload")
    if isinstance(raw, str):
        try:
            raw = read_json(raw.encode("utf-8", "surrogatepass"))
        except ValueError:
            return None
    if isinstance(raw, dict):
        return raw
    return dict(record) if raw is None and "rawPayload" not in record and "messageId" not in record else None


def _frame(mid: str, sid: str, at: datetime, payload: dict[str, JSONValue]) -> bytes | None:
    """Return the event as text, compact and with its keys in the order of the stream; `None` if it cannot be an event."""
    timestamp = (at - _EPOCH) // timedelta(milliseconds=1)
    event = {"mid": mid, "sid": sid, "source": SOURCE, "timestamp": timestamp, "payload": payload}
    try:
        written = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            frame = written.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which needs an escape
            frame = json.dumps(event, allow_nan=False, separators=(",", ":")).encode()
        decode_event(frame)
    except (ValueError, RecursionError, NotAnEventError):
        return None
    return frame


def time_of_id(mid: str) -> datetime | None:
    """Return when X issued this id, to the millisecond; `None` if it is not such an id."""
    if not _SNOWFLAKE.fullmatch(mid):
        return None
    return _EPOCH + timedelta(milliseconds=(int(mid) >> 22) + _TWITTER_EPOCH_MS)


def _time(value: JSONValue) -> datetime | None:
    """Return a time that is written in ISO 8601, in the format of X, or as Unix milliseconds."""
    return time_of_text(value) if isinstance(value, str) else time_of_ms(value)


def _is_beyond(times: list[datetime], span: TimeSpan) -> bool:
    """Return whether the page goes beyond the end of the span in the direction of the pages."""
    if len(times) < 2 or times[0] == times[-1]:
        return False
    return times[-1] > span.until if times[-1] > times[0] else times[-1] < span.since


def _cursor(answer: JSONValue, records: list[JSONValue]) -> str | None:
    """Return where the next page begins: as the response says, otherwise after the last record of a full page, as documented."""
    if not records or not isinstance(answer, dict):
        return None
    for name in ("nextCursor", "next_cursor"):
        if name in answer:
            return text(answer, name) or None
    last = records[-1]
    if len(records) < PAGE_SIZE or not isinstance(last, dict):
        return None
    return text(last, "id") or None


def _records(answer: JSONValue, depth: int = 2) -> list[JSONValue] | None:
    """Return the list that a response is, or contains."""
    if isinstance(answer, list):
        return answer
    if not isinstance(answer, dict) or not depth:
        return None
    return next((found for name in _LISTS if (found := _records(answer.get(name), depth - 1)) is not None), None)


def _is_of_another_source(record: JSONValue) -> bool:
    source = record.get("source") if isinstance(record, dict) else None
    return isinstance(source, str) and source.lower() in _OTHER_SOURCES
