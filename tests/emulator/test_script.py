"""Which events a replay sends, and when."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forwarder.core.event import decode_event
from forwarder.emulator.script import Fresh, nth_pass, packaged_events, play, read_events, replay

STARTED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_the_first_pass_is_the_file_and_later_ones_are_new_events_with_the_same_duplicates() -> None:
    frames = packaged_events()
    assert list(nth_pass(frames, 0)) == frames
    ids = [{decode_event(frame).id for frame in nth_pass(frames, number)} for number in range(5)]
    assert [len(found) for found in ids] == [204] * 5
    assert len(set.union(*ids)) == 5 * 204


def test_a_pair_of_one_post_keeps_one_mid_on_every_pass() -> None:
    def mids(frames: list[bytes], source: str) -> set[str]:
        return {event.mid for event in map(decode_event, frames) if event.source == source}

    later = list(nth_pass(packaged_events(), 3))
    assert mids(later, "fast-x") == mids(later, "x")


async def test_a_replay_is_due_at_its_rate_and_a_burst_at_once() -> None:
    assert [due for due, _ in replay(rate=4, count=3)] == [0, 0.25, 0.5]
    assert {due for due, _ in replay(count=500)} == {0.0}
    seen: list[bytes] = []

    async def take(frame: bytes) -> None:
        seen.append(frame)

    assert await play(replay(count=300), take) == 300
    assert seen[:208] == packaged_events()


def run_of(started: datetime, passes: int = 2) -> list[bytes]:
    """Return the frames of a run as they are sent, one each 0.1 s."""
    frames = packaged_events()
    fresh = Fresh(frames, started=started)
    every = [frame for number in range(passes) for frame in nth_pass(frames, number)]
    return [fresh.frame(frame, started + number * timedelta(milliseconds=100)) for number, frame in enumerate(every)]


def test_each_run_has_its_own_ids_and_keeps_its_duplicates() -> None:
    starts = [
        STARTED,
        STARTED + timedelta(milliseconds=700),
        STARTED + timedelta(seconds=5),
        STARTED + timedelta(days=9),
    ]
    runs = [{decode_event(frame).id for frame in run_of(started)} for started in starts]
    assert [len(ids) for ids in runs] == [2 * 204] * len(runs)
    of_second = {decode_event(frame).id for frame in packaged_events()}
    assert not runs[0] & of_second
    assert not runs[0] & runs[2]
    assert not runs[2] & runs[3]


def created_at(text: str) -> datetime:
    if text.endswith("Z"):
        return datetime.fromisoformat(text)
    return datetime.strptime(text, "%a %b %d %H:%M:%S +0000 %Y").replace(tzinfo=UTC)


def test_the_events_of_a_run_are_of_the_present_time() -> None:
    for number, frame in enumerate(run_of(STARTED)):
        event = json.loads(frame)
        sent = STARTED + number * timedelta(milliseconds=100)
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        assert abs(at - sent) < timedelta(seconds=20)
        if event["source"] == "x":
            created = created_at(event["payload"]["created_at"])
            assert abs(created - sent) < timedelta(minutes=2)
        if event["source"] == "telegram" and "date" in event["payload"]:
            assert abs(event["payload"]["date"] - sent.timestamp()) < 60


def test_a_pair_of_one_post_has_one_id_and_one_time_in_a_run() -> None:
    seen: dict[str, set[tuple[str, int]]] = {"fast-x": set(), "x": set()}
    for frame in run_of(STARTED):
        event = json.loads(frame)
        if event["source"] in seen:
            seen[event["source"]].add((event["mid"], event["timestamp"]))
    assert seen["fast-x"] == seen["x"]


def test_a_frame_that_is_no_event_stays_as_it_is() -> None:
    fresh = Fresh(packaged_events(), started=STARTED)
    odd = b'{"mid":"1","source":"x","timestamp":"soon","payload":{"created_at":"Xyz Feb 31 25:00:00 +0000 2026"}}'
    assert fresh.frame(odd, STARTED) == odd
    assert b"Xyz Feb 31" in fresh.frame(odd.replace(b'"soon"', b"1767225600400"), STARTED)
    for frame in (b"ping", b"{}", b"\xff", b'{"mid":1}', b"[]"):
        assert fresh.frame(frame, STARTED) == frame


def test_a_byte_order_mark_is_no_part_of_the_first_event(tmp_path: Path) -> None:
    first, second, *_ = packaged_events()
    (tmp_path / "events.jsonl").write_bytes(b"\xef\xbb\xbf" + first + b"\r\n" + second + b"\r\n")
    assert read_events(tmp_path / "events.jsonl") == [first, second]
