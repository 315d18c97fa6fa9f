"""The log line of an attempt: its name by the decision, and its fields."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.delivery import Answered, Attempt, DestinationName, Fault, Outcome, Unanswered, new_delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import decode_event
from forwarder.core.monitoring.attempt_log import author_of, describe

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVENT = decode_event(b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"secret"}}')
DELIVERY = new_delivery(EVENT, DestinationName("bot"), ("r",), event_seq=1, accepted_at=NOW)


def attempt(outcome: Outcome) -> Attempt:
    return Attempt(number=3, started_at=NOW, duration=timedelta(milliseconds=12.3456), outcome=outcome)


@pytest.mark.parametrize(
    ("decision", "name", "fields"),
    [
        (Done(), "delivery.delivered", {}),
        (
            RetryAt(at=NOW, reason="HTTP 503"),
            "delivery.retry_scheduled",
            {"reason": "HTTP 503", "retry_at": "2026-01-01T12:00:00.000+00:00"},
        ),
        (
            Postponed(at=None, reason="no network"),
            "delivery.postponed",
            {"reason": "no network", "note": "not counted as an attempt"},
        ),
        (Dead(reason="HTTP 400"), "delivery.dead", {"reason": "HTTP 400"}),
        (Expired(reason="1 h old"), "delivery.expired", {"reason": "1 h old"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_decision_names_the_line(decision: Decision, name: str, fields: dict[str, object]) -> None:
    said, found = describe(DELIVERY, attempt(Answered(status=503)), decision)
    assert said == name
    assert found == {
        "event_id": EVENT.id,
        "delivery_id": DELIVERY.id,
        "destination": "bot",
        "routes": ("r",),
        "attempt": 3,
        "duration_ms": 12.35,
        "status": 503,
        **fields,
    }


def test_an_attempt_without_an_answer_has_no_status() -> None:
    _, fields = describe(DELIVERY, attempt(Unanswered(fault=Fault.DNS, detail="no address")), Dead(reason="no address"))
    assert "status" not in fields


def test_a_second_request_is_part_of_the_line_of_an_attempt_that_delivered() -> None:
    _, fields = describe(DELIVERY, attempt(Answered(status=200, note="sent again without pictures")), Done())
    assert fields["note"] == "sent again without pictures"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"hi","author":{"screen_name":"nova"},"url":"https://x.com/nova/status/1"}}',
            {"author": "nova", "link": "https://x.com/nova/status/1"},
        ),
        (b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"hi"}}', {}),
        (b'{"mid":"1","sid":"2","source":"forwarder","timestamp":1,"payload":{"kind":"canary"}}', {}),
        (b"\xff not JSON", {}),
        (b"", {}),
    ],
    ids=["post", "nobody", "our own", "no event", "not kept"],
)
def test_the_author_and_the_link_are_named_where_there_are_any(body: bytes, fields: dict[str, str]) -> None:
    assert {name: text for name, text in author_of(body).items() if text} == fields
