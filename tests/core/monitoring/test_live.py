"""What a watcher sees of an event and of an attempt."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from forwarder.core.delivery import Answered, Attempt, DestinationName, Fault, Outcome, Unanswered, new_delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import decode_event
from forwarder.core.ledger import SkipReason
from forwarder.core.monitoring.live import LiveFilter, Passing, glimpse, passing_attempt, passing_event, with_body
from forwarder.core.routing.router import Selection

STEADY = datetime(2026, 1, 1, 12, tzinfo=UTC)
WALL = STEADY + timedelta(hours=1)
BOT, ALERTS = DestinationName("bot"), DestinationName("alerts")
PAYLOAD = {"id": "1", "text": "good morning", "author": {"screen_name": "ann", "name": "Ann"}}
EVENT = decode_event(json.dumps({"mid": "1", "sid": "2", "source": "x", "timestamp": 1, "payload": PAYLOAD}).encode())
DELIVERY = new_delivery(EVENT, BOT, ("news", "all"), event_seq=1, accepted_at=STEADY - timedelta(seconds=1.5))
SEEN = glimpse(EVENT.body)


def attempt(outcome: Outcome, number: int = 3) -> Attempt:
    return Attempt(number=number, started_at=WALL, duration=timedelta(milliseconds=12.3456), outcome=outcome)


def test_a_glimpse_has_the_source_the_author_the_text_and_the_address() -> None:
    assert (SEEN.source, SEEN.author, SEEN.text, SEEN.link) == (
        "x",
        "ann",
        "good morning",
        "https://x.com/ann/status/1",
    )


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 5_000, b'{"source": 5, "payload": null}', b'"text"'])
def test_any_bytes_have_a_glimpse(body: bytes) -> None:
    assert len(glimpse(body).text) <= 200


def test_what_a_stranger_wrote_is_cut() -> None:
    payload = {"text": "t" * 5_000, "author": {"screen_name": "a" * 5_000}, "link": "https://a.example/" + "l" * 5_000}
    body = json.dumps({"mid": "1", "sid": "2", "source": "rss", "timestamp": 1, "payload": payload}).encode()
    seen = glimpse(body)
    assert len(seen.text) == 200
    assert len(seen.author) <= 100
    assert not seen.link


def test_a_lone_surrogate_does_not_keep_a_line_from_being_written() -> None:
    seen = glimpse(
        b'{"source":"x\\ud83d","payload":{"text":"cut \\ud83d","author":{"screen_name":"n\\udc00\xc3\xa4"}}}'
    )
    assert (seen.source, seen.author, seen.text) == ("x?", "n?\xe4", "cut ?")
    event = passing_event(EVENT, "main", None, seen, at=WALL)
    died = passing_attempt(
        DELIVERY, attempt(Answered(status=400)), Dead(reason="\ud83d\xe4"), seen, wall=WALL, steady=STEADY
    )
    for item in (event, died, with_body(event, b'"\\ud83d\xff"')):
        assert msgspec.json.decode(msgspec.json.encode(item))["text"] == "cut ?"
    assert died.reason == "?\xe4"


def test_an_address_is_one_of_the_web() -> None:
    payload = {"title": "t", "link": "javascript:alert(1)"}
    body = json.dumps({"mid": "1", "sid": "2", "source": "rss", "timestamp": 1, "payload": payload}).encode()
    assert not glimpse(body).link


def test_an_event_names_its_destinations_with_their_routes_and_what_was_held_back() -> None:
    selection = Selection(
        chosen={BOT: ("news", "all")}, matched=("news", "all"), held={ALERTS: (SkipReason.LIMITED, ("news",))}
    )
    seen = msgspec.json.decode(msgspec.json.encode(passing_event(EVENT, "main", selection, SEEN, at=WALL)))
    assert seen == {
        "event": "event",
        "at": "2026-01-01T13:00:00Z",
        "event_id": EVENT.id,
        "source": "x",
        "stream": "main",
        "author": "ann",
        "text": "good morning",
        "link": "https://x.com/ann/status/1",
        "result": "matched",
        "routes": ["news", "all"],
        "destinations": {"bot": ["news", "all"]},
        "held": {"alerts": "limited"},
    }


@pytest.mark.parametrize(
    ("selection", "result"),
    [
        (None, "duplicate"),
        (Selection(chosen={}, matched=()), "unmatched"),
        (Selection(chosen={}, matched=("all",)), "matched"),
    ],
)
def test_the_result_is_that_of_routing(selection: Selection | None, result: str) -> None:
    seen = passing_event(EVENT, "main", selection, SEEN, at=WALL)
    assert (seen.result, seen.destinations, seen.held) == (result, {}, {})


def test_an_attempt_has_its_delivery_and_its_times() -> None:
    decision = RetryAt(at=STEADY + timedelta(seconds=30), reason="HTTP 503: overloaded")
    passing = passing_attempt(DELIVERY, attempt(Answered(status=503)), decision, SEEN, wall=WALL, steady=STEADY)
    assert msgspec.json.decode(msgspec.json.encode(passing)) == {
        "event": "attempt",
        "at": "2026-01-01T13:00:00Z",
        "event_id": EVENT.id,
        "delivery_id": DELIVERY.id,
        "source": "x",
        "author": "ann",
        "text": "good morning",
        "link": "https://x.com/ann/status/1",
        "destination": "bot",
        "routes": ["news", "all"],
        "trigger": "first",
        "attempt": 3,
        "outcome": "retry",
        "status": 503,
        "duration_ms": 12.35,
        "since_received_ms": 1500.0,
        "reason": "HTTP 503: overloaded",
        "retry_at": "2026-01-01T13:00:30Z",
    }


@pytest.mark.parametrize(
    ("decision", "outcome", "reason"),
    [
        (Done(), "delivered", "sent again"),
        (Postponed(at=None, reason="no network"), "postponed", "no network"),
        (Dead(reason="HTTP 400"), "dead", "HTTP 400"),
        (Expired(reason="1 h old"), "expired", "1 h old"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_decision_names_the_outcome_and_the_reason(decision: Decision, outcome: str, reason: str) -> None:
    made = attempt(Unanswered(fault=Fault.NETWORK, detail="no network", note="sent again"))
    passing = passing_attempt(DELIVERY, made, decision, SEEN, wall=WALL, steady=STEADY)
    assert (passing.outcome, passing.reason, passing.status, passing.retry_at) == (outcome, reason, None, None)


def test_a_long_reason_is_cut() -> None:
    passing = passing_attempt(
        DELIVERY, attempt(Answered(status=400)), Dead(reason="r" * 5_000), SEEN, wall=WALL, steady=STEADY
    )
    assert len(passing.reason) == 500


def test_what_expired_unsent_has_no_attempt() -> None:
    passing = passing_attempt(DELIVERY, None, Expired(reason="1 h old"), SEEN, wall=WALL, steady=STEADY)
    assert (passing.outcome, passing.attempt, passing.status, passing.duration_ms) == ("expired", 0, None, None)
    assert passing.reason == "1 h old"


ROUTED = passing_event(
    EVENT,
    "main",
    Selection(chosen={BOT: ("news",)}, matched=("news", "few"), held={ALERTS: (SkipReason.LIMITED, ("few",))}),
    SEEN,
    at=WALL,
)
DELIVERED = passing_attempt(DELIVERY, attempt(Answered(status=200)), Done(), SEEN, wall=WALL, steady=STEADY)
DIED = passing_attempt(DELIVERY, attempt(Answered(status=400)), Dead(reason="no"), SEEN, wall=WALL, steady=STEADY)


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (LiveFilter(), "event delivered dead"),
        (LiveFilter(source="x"), "event delivered dead"),
        (LiveFilter(source="rss"), ""),
        (LiveFilter(destination="bot"), "event delivered dead"),
        (LiveFilter(destination="alerts"), "event"),
        (LiveFilter(destination="other"), ""),
        (LiveFilter(route="news"), "event delivered dead"),
        (LiveFilter(route="all"), "delivered dead"),
        (LiveFilter(route="few"), "event"),
        (LiveFilter(route="other"), ""),
        (LiveFilter(is_failed=True), "dead"),
        (LiveFilter(is_failed=True, route="all", destination="bot", source="x"), "dead"),
    ],
)
def test_a_filter_lets_through_what_is_wanted(wanted: LiveFilter, seen: str) -> None:
    passed: dict[str, Passing] = {"event": ROUTED, "delivered": DELIVERED, "dead": DIED}
    assert [name for name, item in passed.items() if wanted.wants(item)] == seen.split()


def test_the_body_is_there_for_who_asked_for_it() -> None:
    assert with_body(ROUTED, EVENT.body).body == EVENT.body.decode()
    assert msgspec.json.decode(msgspec.json.encode(with_body(DIED, b"\xff")))["body"] == "\ufffd"
    assert "body" not in msgspec.json.decode(msgspec.json.encode(ROUTED))
