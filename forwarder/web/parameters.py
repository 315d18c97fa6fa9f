"""Reads what a request says: its query, its path and its body, each as a value of a type. What does not fit is refused with a sentence."""

from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from aiohttp import web
from msgspec import Meta

from forwarder.core.history import FOREVER_MS, Cursor, Query

_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)


class InvalidRequestError(Exception):
    """A request that does not fit; the text says what is wrong with it."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


NO_NULL = r"^[^\x00]*$"
"""What SQLite would read only in part is refused: it could act as no filter at all."""
Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NULL)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NULL, description="A name in the config.")]
Moment = Annotated[datetime, Meta(tz=True, description="A time with its zone, as 2026-01-31T12:00:00Z.")]
Limit = Annotated[int, Meta(ge=1, le=500, description="The most records of a page.")]
PageCursor = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,16}\.[0-9]{1,16}(\..{1,64})?$",
        max_length=100,
        description="The `next` of the page before.",
    ),
]
EventId = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="The id of an event: 32 hex digits.")]
EventSeq = Annotated[int, Meta(ge=1, le=1 << 53, description="The number of an event.")]
Milliseconds = Annotated[int, Meta(ge=0, le=1 << 53)]


class Period(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The part of the history that is asked for."""

    since: Moment | None = None
    until: Moment | None = None
    limit: Limit = 50

    def bounds(self) -> tuple[int, int]:
        """Return the beginning and the end in Unix milliseconds. Raises `InvalidRequestError`."""
        since_ms = 0 if self.since is None else _ms(self.since)
        until_ms = FOREVER_MS if self.until is None else _ms(self.until)
        if until_ms <= since_ms:
            raise InvalidRequestError("until must be later than since")
        return since_ms, until_ms


class Filters(Period, kw_only=True, forbid_unknown_fields=True):
    """What is asked of events and deliveries. What is left out matches all."""

    text: Word | None = None
    author: Word | None = None
    link: Annotated[str, Meta(min_length=1, max_length=2000, pattern=NO_NULL)] | None = None
    source: Word | None = None
    mid: Word | None = None
    route: Name | None = None
    destination: Name | None = None
    after: PageCursor | None = None

    def query(self) -> Query:
        """Return the query of the history. Raises `InvalidRequestError`."""
        since_ms, until_ms = self.bounds()
        return Query(
            since_ms=since_ms,
            until_ms=until_ms,
            text=self.text,
            author=self.author,
            link=self.link,
            source=self.source,
            mid=self.mid,
            route=self.route,
            destination=self.destination,
            limit=self.limit,
            after=None if self.after is None else read_cursor(self.after),
        )


def write_cursor(cursor: Cursor | None) -> str | None:
    """Return a cursor as the API has it."""
    if cursor is None:
        return None
    end = f".{cursor.destination}" if cursor.destination else ""
    return f"{cursor.at_ms}.{cursor.seq}{end}"


def read_cursor(text: str) -> Cursor:
    """Return the cursor that `write_cursor` has written."""
    at_ms, seq, *rest = text.split(".", 2)
    if max(int(at_ms), int(seq)) > FOREVER_MS:
        raise InvalidRequestError("after: no page ends there")
    return Cursor(at_ms=int(at_ms), seq=int(seq), destination=rest[0] if rest else "")


def read_query(request: web.Request, kind: type[_S]) -> _S:
    """Return the parameters of the query. Raises `InvalidRequestError`."""
    types, given = _types_of(kind), dict[str, Any]()
    for name, value in request.query.items():
        if name not in types:
            raise InvalidRequestError(f"there is no parameter {_shown(name)!r} here")
        if name in given:
            raise InvalidRequestError(f"{name} is given twice")
        try:
            given[name] = msgspec.convert(value, types[name], strict=not _is_number(types[name]))
        except msgspec.ValidationError as error:
            raise InvalidRequestError(f"{name} does not fit: {_shown(str(error))}") from error
    return kind(**given)


@cache
def _types_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of the values that a query can give: `null` in it would be a word like any other."""
    return {field.name: _without_none(field.type) for field in msgspec.structs.fields(kind)}


def _without_none(kind: Any) -> Any:  # noqa: ANN401 - a type
    if get_origin(kind) not in {Union, UnionType}:
        return kind
    return Union[tuple(each for each in get_args(kind) if each is not NoneType)]  # noqa: UP007 - made of a list


def _is_number(kind: Any) -> bool:  # noqa: ANN401 - a type
    """Return whether a text must be read as a number or a switch first."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return bare in {int, float, bool}


def read_path(request: web.Request, name: str, kind: type[_T]) -> _T:
    """Return a part of the path. Raises `InvalidRequestError` with 404: there is nothing under such a name."""
    try:
        return msgspec.convert(request.match_info[name], kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"there is no such {name.replace('_', ' ')}", status=404) from error


async def read_body(request: web.Request, kind: type[_T]) -> _T:
    """Return the body, for which the guard has waited; none is the same as `{}`. Raises `InvalidRequestError`."""
    body = await request.read()
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"the body does not fit: {_first(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError("the body is not JSON") from error


def _first(error: msgspec.ValidationError) -> str:
    return _shown(str(error).replace("$.", "").replace(" - at ", ", at "))


def _shown(text: str) -> str:
    """Return what was sent, so that it can be shown."""
    return "".join(mark if mark.isprintable() else "�" for mark in text[:200])


def _ms(at: datetime) -> int:
    try:
        return max(round(at.astimezone(UTC).timestamp() * 1000), 0)
    except OverflowError as error:
        raise InvalidRequestError("that time is out of range") from error
