"""The spans of an event: their ids depend on nothing but the event and its deliveries."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from forwarder.core.delivery import (
    Answered,
    Attempt,
    DestinationName,
    Fault,
    Outcome,
    Trigger,
    Unanswered,
    new_delivery,
)
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import decode_event
from forwarder.core.monitoring.spans import (
    SpanKind,
    attempt_spans,
    commit_span,
    event_spans,
    expired_span,
    is_traced,
    traceparent_of,
)
from forwarder.core.routing.router import Selection
from forwarder.core.routing.sampling import WHOLE

STEADY = datetime(2026, 1, 1, 12, tzinfo=UTC)
WALL = STEADY + timedelta(hours=1)
ARRIVED = WALL - timedelta(seconds=2)
BOT = DestinationName("bot")
EVENT = decode_event(b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"secret"}}')
DELIVERY = new_delivery(EVENT, BOT, ("news",), event_seq=1, accepted_at=STEADY - timedelta(seconds=2))
MATCHED = Selection(matched=("news",), chosen={BOT: ("news",)}, held={})


def attempt(outcome: Outcome, number: int = 1) -> Attempt:
    return Attempt(number=number, started_at=WALL, duration=timedelta(milliseconds=500), outcome=outcome)


def test_an_event_has_a_trace_of_its_id_with_what_routing_made_of_it() -> None:
    root, routed = event_spans(EVENT, "main", MATCHED, arrived=ARRIVED, now=WALL)
    assert (root.name, root.kind, root.parent_id) == ("receive", SpanKind.CONSUMER, None)
    assert root.trace_id == routed.trace_id == EVENT.id
    assert len(EVENT.id) == 32
    assert (routed.name, routed.parent_id) == ("route", root.span_id)
    assert root.attributes["forwarder.matched"] is True
    assert routed.attributes == {"forwarder.routes": ["news"], "forwarder.destinations": ["bot"]}
    assert "secret" not in str(root) + str(routed)


def test_the_commit_belongs_to_it_and_began_when_the_event_was_read() -> None:
    root, _ = event_spans(EVENT, "main", MATCHED, arrived=ARRIVED, now=WALL)
    commit = commit_span(EVENT.id, lasted_s=0.25, now=WALL)
    assert (commit.name, commit.parent_id, commit.ended - commit.began) == (
        "commit",
        root.span_id,
        timedelta(seconds=0.25),
    )


@pytest.mark.parametrize(
    ("decision", "outcome", "error", "is_end"),
    [
        (Done(), "delivered", None, True),
        (RetryAt(at=STEADY, reason="HTTP 503"), "retry", "HTTP 503", False),
        (Postponed(at=None, reason="no network"), "postponed", "no network", False),
        (Dead(reason="HTTP 400"), "dead", "HTTP 400", True),
        (Expired(reason="1 h old"), "expired", "1 h old", True),
    ],
)
def test_each_attempt_is_a_span_of_its_delivery_which_ends_with_the_last_one(
    decision: Decision, outcome: str, error: str | None, is_end: bool
) -> None:
    root, _ = event_spans(EVENT, "main", MATCHED, arrived=ARRIVED, now=WALL)
    spans = attempt_spans(DELIVERY, attempt(Answered(status=503)), decision, span_id=7, wall=WALL, steady=STEADY)
    made = spans[0]
    assert (made.name, made.kind, made.span_id, made.error) == ("attempt bot", SpanKind.CLIENT, 7, error)
    assert (made.ended, made.ended - made.began) == (WALL, timedelta(milliseconds=500))
    assert made.attributes["forwarder.outcome"] == outcome
    assert made.attributes["http.response.status_code"] == 503
    assert len(spans) == 1 + is_end
    for delivery in spans[1:]:
        assert (delivery.name, delivery.span_id, delivery.parent_id) == ("deliver bot", made.parent_id, root.span_id)
        assert (delivery.began, delivery.ended, delivery.error) == (ARRIVED, WALL, error)
        assert (delivery.attributes["forwarder.attempts"], delivery.attributes["forwarder.routes"]) == (1, ["news"])


def test_an_attempt_without_an_answer_has_no_status() -> None:
    outcome = Unanswered(fault=Fault.DNS, detail="no address")
    (made,) = attempt_spans(
        DELIVERY, attempt(outcome), RetryAt(at=STEADY, reason="no address"), span_id=7, wall=WALL, steady=STEADY
    )
    assert "http.response.status_code" not in made.attributes


def test_what_a_person_asked_for_later_begins_with_its_last_attempt_and_a_notice_of_our_own_has_no_event() -> None:
    again = replace(DELIVERY, trigger=Trigger.REPLAY)
    _, delivery = attempt_spans(again, attempt(Answered(status=200)), Done(), span_id=7, wall=WALL, steady=STEADY)
    assert delivery.ended - delivery.began == timedelta(milliseconds=500)
    notice = replace(DELIVERY, is_own=True)
    _, delivery = attempt_spans(notice, attempt(Answered(status=200)), Done(), span_id=7, wall=WALL, steady=STEADY)
    assert delivery.parent_id is None


def test_a_delivery_that_expired_between_two_attempts_ends_as_well() -> None:
    span = expired_span(replace(DELIVERY, attempts=3), "2 h old", wall=WALL, steady=STEADY)
    assert (span.name, span.error, span.attributes["forwarder.attempts"]) == ("deliver bot", "2 h old", 3)
    assert span.began == ARRIVED


def test_the_header_has_the_form_of_w3c() -> None:
    assert traceparent_of(EVENT.id, 7) == f"00-{EVENT.id}-0000000000000007-01"


def test_the_sample_depends_on_the_event_alone() -> None:
    ids = [f"{number:032x}" for number in range(2_000)]
    assert all(is_traced(each, WHOLE) for each in ids)
    some = {each for each in ids if is_traced(each, WHOLE // 10)}
    assert 120 < len(some) < 280
    assert some == {each for each in ids if is_traced(each, WHOLE // 10)}
