"""Deliveries and outcomes: ids that can be derived again, and texts that hide what is secret."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.delivery import (
    Answered,
    Attempt,
    Delivery,
    DestinationName,
    Fault,
    Outcome,
    Trigger,
    Unanswered,
    delivery_id,
    event_of,
    new_delivery,
)
from forwarder.core.event import decode_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = decode_event(b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"secret"}}')
BOT = DestinationName("bot")


def delivery(*, trigger: Trigger = Trigger.FIRST, is_recovered: bool = False) -> Delivery:
    return new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW, trigger=trigger, is_recovered=is_recovered)


def test_an_id_leads_back_to_its_event_and_differs_by_destination() -> None:
    first, other = delivery_id(EVENT.id, BOT), delivery_id(EVENT.id, DestinationName("other"))
    assert delivery().id == first != other
    found = event_of(first)
    assert found is not None
    assert found[0] == EVENT.id
    assert event_of(other) != found


@pytest.mark.parametrize("text", ["", "msg_", "msg_" + "0" * 39, "msg_" + "g" * 40, "abc_" + "0" * 40])
def test_an_id_of_another_form_is_none_of_forwarders(text: str) -> None:
    assert event_of(text) is None


def test_the_first_attempt_for_a_recovered_event_says_so_unless_it_has_another_reason() -> None:
    assert delivery(is_recovered=True).trigger is Trigger.RECOVERED
    assert delivery(trigger=Trigger.REPLAY, is_recovered=True).trigger is Trigger.REPLAY
    assert delivery().trigger is Trigger.FIRST


def test_no_representation_shows_what_may_be_secret() -> None:
    answered = Answered(status=302, excerpt="secret", body=b"secret", location="https://a.example")
    assert "secret" not in repr([delivery(), answered])
    assert repr(delivery()).startswith("Delivery(msg_")


def test_the_reason_of_an_outcome() -> None:
    assert Answered(status=503).reason == "HTTP 503"
    redirect = Answered(status=302, location="https://a.example")
    assert redirect.reason == "HTTP 302, a redirect to https://a.example, not followed"
    assert Unanswered(fault=Fault.DNS, detail="its host name does not exist").reason == "its host name does not exist"


@pytest.mark.parametrize(("status", "delivered"), [(199, False), (200, True), (299, True), (300, False)])
def test_an_attempt_with_a_2xx_is_delivered(status: int, delivered: bool) -> None:
    attempt = Attempt(number=1, started_at=NOW, duration=timedelta(milliseconds=12.5), outcome=Answered(status=status))
    assert (attempt.is_delivered, attempt.duration_ms) == (delivered, 12.5)


def test_the_reason_ends_with_the_words_of_the_receiver_and_what_else_happened() -> None:
    answer = Answered(status=400, excerpt='{"description": "Bad Request: chat not found"}', note="sent again")
    assert answer.reason == "HTTP 400: Bad Request: chat not found (sent again)"
    assert answer.explain("given up") == "given up: Bad Request: chat not found (sent again)"
    assert (Answered(status=200, excerpt="ok").reason, Answered(status=500).reason) == ("HTTP 200", "HTTP 500")
    redirect = Answered(status=302, excerpt="Moved", location="https://a.example")
    assert redirect.reason == "HTTP 302, a redirect to https://a.example, not followed"
    silence = Unanswered(fault=Fault.TIMEOUT, detail="no answer within 5 s")
    assert silence.explain("given up") == "given up"


def test_what_else_happened_in_an_attempt() -> None:
    def attempt(outcome: Outcome) -> Attempt:
        return Attempt(number=1, started_at=NOW, duration=timedelta(), outcome=outcome)

    assert attempt(Answered(status=200, note="sent again")).note == "sent again"
    assert attempt(Unanswered(fault=Fault.TIMEOUT, detail="no answer")).note == ""
