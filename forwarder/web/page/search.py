"""What a search form asks for, read from an address, and the addresses of the pages of a list. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from forwarder.core.delivery import event_of
from forwarder.core.history import Cursor, Query
from forwarder.core.posts.links import NoPostLinkError, read_link

MOST_ROWS = 50
"""How many rows a page of a list has."""
_EVENT_ID = re.compile("[0-9a-f]{32}")
_POST_ID = re.compile("[0-9]{1,25}")
_MOST_WORDS = 500
"""A longer text in a form is cut."""
STATES = (
    ("", "any"),
    ("delivered", "delivered"),
    ("pending", "waiting"),
    ("in_flight", "in flight"),
    ("dead", "dead"),
    ("expired", "expired"),
    ("skipped", "skipped"),
    ("unmatched", "no route matched"),
)
"""The states that a form offers, with their labels."""
PERIODS = (("", "any"), ("1h", "last hour"), ("24h", "last 24 hours"), ("7d", "last 7 days"))
_LENGTHS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a search form; empty where nothing is asked."""

    text: str = ""
    author: str = ""
    link: str = ""
    route: str = ""
    destination: str = ""
    state: str = ""
    reason: str = ""
    period: str = ""
    after: str = ""
    """Where the page begins: `MILLISECONDS.NUMBER.DESTINATION`."""

    @property
    def is_narrow(self) -> bool:
        """Whether anything is asked for."""
        return any(
            (self.text, self.author, self.link, self.route, self.destination, self.state, self.reason, self.period)
        )

    def query(self, now: datetime) -> Query:
        """Return the query for the history. Raises `ValueError` for a place that is none."""
        length = _LENGTHS.get(self.period)
        is_unmatched = self.state == "unmatched"
        query = Query(
            since_ms=0 if length is None else round((now - length).timestamp() * 1000),
            destination=self.destination or None,
            route=self.route or None,
            status=None if is_unmatched else self.state or None,
            unmatched=is_unmatched,
            reason=self.reason or None,
            author=self.author or None,
            text=self.text or None,
            limit=MOST_ROWS,
            after=cursor_of(self.after) if self.after else None,
        )
        return _with_post(query, self.link) if self.link else query

    @property
    def event_id(self) -> str:
        """The id of the one event that the field for a link names, by its id or by a `webhook-id`; empty if it names none."""
        text = self.link.lower()
        of_delivery = event_of(text)
        if of_delivery is not None:
            return of_delivery[0]
        return text if _EVENT_ID.fullmatch(text) else ""

    def address(self, path: str, **changed: str) -> str:
        """Return the address of this search with some fields changed."""
        fields = {name: value for name, value in (msgspec.structs.asdict(self) | changed).items() if value}
        return f"{path}?{urlencode(fields)}" if fields else path


def asked_of(fields: Mapping[str, str]) -> Asked:
    """Return what is asked for; a state that does not exist is none. Raises `ValueError` for a null character."""
    if any("\0" in each for each in fields.values()):
        raise ValueError("no text has a null character")
    known = {name: fields.get(name, "").strip()[:_MOST_WORDS] for name in Asked.__struct_fields__ if name != "reason"}
    if known["state"] not in dict(STATES):
        known["state"] = ""
    if known["period"] not in _LENGTHS:
        known["period"] = ""
    return Asked(reason=fields.get("reason", ""), **known)


def _with_post(query: Query, text: str) -> Query:
    """Return the query for the post that this link or id means."""
    if _POST_ID.fullmatch(text):
        return replace(query, mid=text)
    try:
        link = read_link(text)
    except NoPostLinkError:
        link = None
    if link is None or link.address:
        return replace(query, link=text)
    return replace(query, mid=link.mid, source="telegram" if "telegram" in link.sources else None)


def cursor_of(place: str) -> Cursor:
    """Return the place in a list that an address has. Raises `ValueError` if it is none."""
    at_ms, _, rest = place.partition(".")
    seq, _, destination = rest.partition(".")
    if not (
        at_ms.isascii() and at_ms.isdigit() and seq.isascii() and seq.isdigit() and len(at_ms) < 17 and len(seq) < 17
    ):
        raise ValueError("not a place in a list")
    return Cursor(at_ms=int(at_ms), seq=int(seq), destination=destination)


def place_of(cursor: Cursor) -> str:
    """Return a place in a list as an address has it."""
    return f"{cursor.at_ms}.{cursor.seq}.{cursor.destination}".rstrip(".")
