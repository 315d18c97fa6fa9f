"""Filters of what passes that look at the event itself."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from forwarder.cli.live_filters import finds_post, has_mid, has_status, is_attempt, is_event, passes_rule
from forwarder.core.event import decode_event
from forwarder.core.matching import compile_condition
from forwarder.core.matching.post_search import PostSearch
from forwarder.core.monitoring.live import AttemptOutcome, EventResult, PassingAttempt, PassingEvent
from forwarder.core.yaml.tree import Scalar

AT = datetime(2026, 1, 1, tzinfo=UTC)


def body(number: int, text: str = "good morning") -> str:
    payload = {"text": text, "author": {"screen_name": "nova"}}
    return json.dumps({"mid": str(number), "sid": "7", "source": "x", "timestamp": 1, "payload": payload})


def event(number: int, text: str = "good morning") -> PassingEvent:
    written = body(number, text)
    return PassingEvent(
        at=AT,
        event_id=decode_event(written.encode()).id,
        source="x",
        stream="main",
        author="nova",
        text=text,
        link="",
        result=EventResult.MATCHED,
        routes=["r"],
        destinations={},
        held={},
        body=written,
    )


def attempt(number: int, outcome: AttemptOutcome = AttemptOutcome.DELIVERED) -> PassingAttempt:
    written = body(number)
    return PassingAttempt(
        at=AT,
        event_id=decode_event(written.encode()).id,
        delivery_id="",
        source="x",
        author="nova",
        text="good morning",
        link="",
        destination="bot",
        routes=["r"],
        trigger="first",
        attempt=1,
        outcome=outcome,
        status=200,
        duration_ms=1.0,
        since_received_ms=1.0,
        reason="",
        retry_at=None,
        body=written,
    )


def test_a_rule_is_asked_once_for_an_event_and_its_attempts() -> None:
    condition = compile_condition(
        {"text": {"contains": Scalar("good", quoted=True)}}, lambda path, message: pytest.fail(f"{path}: {message}")
    )
    wants = passes_rule(condition)
    assert wants(event(1))
    assert wants(msgspec.structs.replace(attempt(1), body=None))  # its body is not needed again
    assert not wants(event(2, "bad"))
    assert not wants(msgspec.structs.replace(event(3), body="{"))
    assert not wants(msgspec.structs.replace(event(4), body=None))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.cli.live_filters._REMEMBERED", 1)
    wants = has_mid("1")
    assert wants(event(1))
    assert not wants(event(2))
    assert not wants(msgspec.structs.replace(event(1), body=None))  # forgotten, and there is no body to ask again


def test_posts_are_found_as_in_the_lists() -> None:
    assert finds_post(PostSearch(author="@NOVA"))(event(1))
    assert not finds_post(PostSearch(author="minnow"))(event(1))
    assert finds_post(PostSearch(text="MORNING"))(attempt(1))
    assert not finds_post(PostSearch(text="evening"))(attempt(1))


def test_kinds_and_statuses() -> None:
    assert is_event(event(1))
    assert not is_event(msgspec.structs.replace(event(1), result=EventResult.DUPLICATE))
    assert not is_event(attempt(1))
    assert is_attempt(attempt(1))
    assert not is_attempt(event(1))
    assert has_status("delivered")(attempt(1))
    assert not has_status("dead")(attempt(1))
    assert has_status("pending")(attempt(1, AttemptOutcome.POSTPONED))
    assert has_status("pending")(attempt(1, AttemptOutcome.RETRY))
    assert not has_status("expired")(event(1))
