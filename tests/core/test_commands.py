"""Requests of people to the daemon: what they accept, and when deliveries fall due."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from forwarder.core.commands import SLICE, DeadLetterChange, PauseChange, Replay, ReportFirstEvents, Request, Resend

REQUESTS: TypeAdapter[Any] = TypeAdapter(Request)
REPLAY = {"verb": "replay", "start_ms": 1_000, "rate": 4, "to": "bot", "since_ms": 0, "until_ms": 9}
DEAD = {"verb": "dead_replay", "start_ms": 0, "rate": 1.0, "since_ms": 0, "until_ms": 9}


def read(**written: object) -> object:
    return REQUESTS.validate_python(written)


def test_deliveries_fall_due_one_after_the_other_at_the_rate() -> None:
    replay = Replay.model_validate(REPLAY)
    assert [replay.due_ms(index) for index in range(5)] == [1_000, 1_250, 1_500, 1_750, 2_000]


def test_with_a_speed_the_times_between_the_events_are_kept_and_none_is_due_before_the_first() -> None:
    replay = Replay.model_validate(REPLAY | {"speed": 60.0})
    due = [replay.spaced_due_ms(at, begins_ms=100_000, speed=60.0) for at in (100_000, 160_000, 90_000)]
    assert due == [1_000, 2_000, 1_000]


def test_the_next_slice_goes_on_where_the_one_before_ended() -> None:
    first = Replay.model_validate(REPLAY)
    assert first.model_copy(update={"position": 3}).due_ms(0) == first.due_ms(3)


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("dead_replay", DeadLetterChange),
        ("dead_drop", DeadLetterChange),
        ("pause", PauseChange),
        ("resume", PauseChange),
    ],
)
def test_a_request_is_known_by_its_verb(verb: str, kind: type) -> None:
    rest = (
        {"destination": "bot", "now_ms": 5} if kind is PauseChange else {k: v for k, v in DEAD.items() if k != "verb"}
    )
    assert isinstance(read(verb=verb, **rest), kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"verb": "replai"},
        {"more": 1},
        {"rate": 0},
        {"rate": 100_001},
        {"start_ms": -1},
        {"start_ms": "1000"},
        {"since_ms": 2**53 + 1},
        {"to": 5},
        {"missing": 1},
    ],
)
def test_anything_else_is_refused(changes: dict[str, object]) -> None:
    assert isinstance(read(**REPLAY), Replay)
    with pytest.raises(ValidationError):
        read(**REPLAY | changes)


def test_a_slice_names_at_most_so_many_dead_letters() -> None:
    keys = [(number, "bot") for number in range(SLICE + 1)]
    whole = read(**DEAD, keys=keys[:-1])
    assert isinstance(whole, DeadLetterChange)
    assert whole.keys == tuple(keys[:-1])
    with pytest.raises(ValidationError):
        read(**DEAD, keys=keys)


def test_a_reason_and_a_list_of_first_events_have_bounds() -> None:
    assert isinstance(read(verb="pause", destination="bot", now_ms=5, why="x" * 500), PauseChange)
    with pytest.raises(ValidationError):
        read(verb="pause", destination="bot", now_ms=5, why="x" * 501)
    first = read(verb="first_events", pid=1, streams={"main": ["a", "b"]})
    assert isinstance(first, ReportFirstEvents)
    assert first.streams == {"main": ("a", "b")}
    for pid in (0, 2**22 + 1):
        with pytest.raises(ValidationError):
            read(verb="first_events", pid=pid, streams={})
    with pytest.raises(ValidationError):
        read(verb="first_events", pid=1, streams={"main": ["a"] * 1001})


def test_a_resend_names_from_one_delivery_to_as_many_as_a_slice_has() -> None:
    keys = [(number, "bot") for number in range(SLICE + 1)]
    assert isinstance(read(verb="resend", keys=keys[1:], now_ms=5), Resend)
    for wrong in (keys, []):
        with pytest.raises(ValidationError):
            read(verb="resend", keys=wrong, now_ms=5)
