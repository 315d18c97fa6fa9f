"""The history of a real outbox as a script: the times between the events, later passes, and what is left out."""

import math
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from forwarder.cli.recording import Recording
from forwarder.core.event import Event, decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.open import open_history, open_outbox
from tests.support.outbox import EVENTS, NOW

CUT = decode_event(b'{"source":"fast-x","timestamp":1767225600000,"payload":"{\\"id\\":\\"18\\",\\"te..."}')
OWN = decode_event(b'{"mid":"1","sid":"1","source":"forwarder","timestamp":1,"payload":{"text":"a notice"}}')


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


async def recorded(path: Path, *events: tuple[Event, float]) -> Path:
    """Store events at these seconds."""
    async with open_outbox(path) as outbox:
        for event, second in events:
            at = NOW + timedelta(seconds=second)
            outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=at, read_at=0.0)
    return path


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Recording]:
    path = await recorded(
        tmp_path / "outbox.db", (EVENTS[0], 0), (OWN, 1), (EVENTS[1], 6), (CUT, 7), (EVENTS[2], 9), (EVENTS[3], 60)
    )
    with open_history(path) as history:
        yield Recording(history, since_ms=0, until_ms=ms(NOW + timedelta(seconds=60)))


def test_each_event_is_marked_and_keeps_its_id(recording: Recording) -> None:
    events = [decode_event(frame) for frame in recording]
    assert [event.id for event in events] == [event.id for event in EVENTS[:3]]
    assert [event.body for event in events] == [event.body[:-1] + b',"replayed":true}' for event in EVENTS[:3]]


def test_cut_events_and_those_of_forwarder_itself_are_left_out(recording: Recording) -> None:
    assert (recording.count, recording.left_out, recording.lasts_s) == (3, 1, 9.0)


@pytest.mark.parametrize(("speed", "due"), [(1.0, [0, 6, 9]), (3.0, [0, 2, 3]), (math.inf, [0, 0, 0])])
def test_the_times_between_the_events_are_kept(recording: Recording, speed: float, due: list[float]) -> None:
    assert [due_s for due_s, _ in recording.script(speed=speed, count=None, loop=False)] == due


def test_a_count_ends_it_or_begins_a_pass_with_new_ids(recording: Recording) -> None:
    assert len(list(recording.script(speed=1, count=2, loop=False))) == 2
    script = list(recording.script(speed=1, count=5, loop=False))
    assert [due_s for due_s, _ in script] == [0, 6, 9, 10, 16]
    assert len({decode_event(frame).id for _, frame in script}) == 5
    assert next(recording.script(speed=1, count=None, loop=True))[0] == 0


async def test_an_empty_outbox_is_an_empty_script(tmp_path: Path) -> None:
    path = await recorded(tmp_path / "outbox.db")
    with open_history(path) as history:
        found = Recording(history, since_ms=0)
        assert (found.count, list(found.script(speed=1, count=5, loop=True))) == (0, [])
