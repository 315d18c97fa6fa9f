"""What forwarder says of itself, and the keys of an order."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core import notices
from forwarder.core.delivery import Delivery, DestinationName, new_delivery
from forwarder.core.event import Event, decode_event
from forwarder.core.order import Order, order_key

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def delivery_of(event: Event) -> Delivery:
    return new_delivery(event, DestinationName("alerts"), ("r",), event_seq=1, accepted_at=NOW)


def test_a_notice_is_an_event_of_our_own() -> None:
    event = notices.as_event(notices.paused("bot", why="HTTP 410"), now=NOW, number=3)
    assert event.source == "forwarder"
    assert event.sid == "bot"
    assert json.loads(event.body)["payload"]["kind"] == "paused"
    assert "forwarder resume bot" in json.loads(event.body)["payload"]["text"]
    assert notices.is_own(delivery_of(event))
    foreign = decode_event(b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{}}')
    assert not notices.is_own(delivery_of(foreign))


def test_two_notices_of_one_millisecond_are_two_events() -> None:
    notice = notices.recovered("bot", after=timedelta(minutes=7))
    first, second = (notices.as_event(notice, now=NOW, number=number) for number in (1, 2))
    assert first.id != second.id


@pytest.mark.parametrize(
    ("notice", "said"),
    [
        (
            notices.failing("bot", since=NOW - timedelta(minutes=5), now=NOW, reason="HTTP 503"),
            "Nothing could be delivered to bot for 5 min. The last attempt came to: HTTP 503",
        ),
        (notices.recovered("bot", after=timedelta(hours=3, minutes=20)), "takes deliveries again after 3 h 20 min"),
        (notices.dead("bot", count=1, reason="HTTP 400"), "One delivery to bot was given up. The last one: HTTP 400"),
        (notices.dead("bot", count=1234, reason="HTTP 400"), "1,234 deliveries to bot were given up"),
        (notices.expired("bot", count=1, first=NOW, last=NOW), "One event was too old to be of use and not sent"),
        (
            notices.expired("bot", count=20, first=NOW, last=NOW + timedelta(seconds=3)),
            "20 events were too old to be of use and not sent: from 2026-01-01 12:00:00 to 2026-01-01 12:00:03 UTC",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, notices.Notice) else "",
)
def test_what_a_notice_says(notice: notices.Notice, said: str) -> None:
    assert said in notice.text


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=99), "99 s"),
        (timedelta(seconds=100), "1 min"),
        (timedelta(minutes=99, seconds=59), "99 min"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(days=2, hours=4), "2 d 4 h"),
    ],
)
def test_a_time_is_spelled_as_a_person_says_it(time: timedelta, said: str) -> None:
    assert notices.spell(time) == said


@pytest.mark.parametrize(
    ("order", "source", "key"),
    [
        (Order.NONE, "x", None),
        (Order.SID, "x", "x:7"),
        (Order.SID, "fast-x", "x:7"),
        (Order.SID, "telegram", "telegram:7"),
        (Order.STRICT, "telegram", "*"),
    ],
)
def test_what_keeps_its_order_has_a_key_in_common(order: Order, source: str, key: str | None) -> None:
    assert order_key(order, source=source, sid="7") == key
