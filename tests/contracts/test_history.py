"""The queries of the history: events, deliveries, dead letters, and the changes that a command makes to them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from forwarder.core.commands import Change, Changed, DeadLetterChange, PauseChange, Replay, Resend
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import FOREVER_MS, Cursor, Query, QueueDepth
from forwarder.core.ledger import SkipReason
from forwarder.core.matching.post_search import heading_of
from tests.contracts.support import Store, stored
from tests.support.outbox import BOT, EVENTS, NOW, attempt, keep, keep_unmatched

MINUTE = timedelta(minutes=1)
AUTHOR, TEXT = heading_of(EVENTS[2].body).author, heading_of(EVENTS[2].body).text


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@pytest.fixture
async def filled(store: Store) -> Store:
    """Return a store with five events, a minute apart: delivered, dead, pending, sampled, and unmatched."""
    async with store.open() as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        outbox.bury(keep(outbox, 1, at=NOW + MINUTE), attempt(400), reason="HTTP 400")
        keep(outbox, 2, DeliveryStatus.PENDING, at=NOW + 2 * MINUTE)
        keep(outbox, 3, SkipReason.SAMPLED, at=NOW + 3 * MINUTE)
        keep_unmatched(outbox, 4, at=NOW + 4 * MINUTE)
    return store


@contextmanager
def filled_pages(store: Store) -> Iterator[Callable[[Query], list[list[int]]]]:
    """Yield what returns the event numbers of the dead letters, page by page."""
    with store.history() as history:

        def pages(query: Query) -> list[list[int]]:
            found: list[list[int]] = []
            after: Cursor | None = None
            while page := list(history.dead_letters(replace(query, after=after))):
                found.append([letter["event_seq"] for letter in page])
                last = page[-1]
                after = Cursor(ms(datetime.fromisoformat(last["closed_at"])), last["event_seq"], last["destination"])
            return found

        yield pages


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        (Query(), [5, 4, 3, 2, 1]),
        (Query(limit=2), [5, 4]),
        (Query(since_ms=ms(NOW + 2 * MINUTE)), [5, 4, 3]),
        (Query(until_ms=ms(NOW + 2 * MINUTE)), [2, 1]),
        (Query(route="r"), [4, 3, 2, 1]),
        (Query(route="other"), []),
        (Query(source="nowhere"), []),
        (Query(mid=EVENTS[2].mid), [4, 3]),
        (Query(author="no one"), []),
        (Query(text="no such words"), []),
        (Query(link="https://x.com/no/status/1"), []),
        (Query(author=AUTHOR), [4, 3]),
        (Query(text=TEXT), [4, 3]),
        (Query(author=AUTHOR, text=TEXT), [4, 3]),
        (Query(text=TEXT, limit=1), [4]),
        (Query(status="delivered"), [1]),
        (Query(status="dead", destination=BOT), [2]),
        (Query(status="dead", destination="other"), []),
        (Query(unmatched=True), [5]),
        (Query(after=Cursor(ms(NOW + 3 * MINUTE), 4)), [3, 2, 1]),
        (Query(after=Cursor(ms(NOW + 3 * MINUTE), 5), limit=2), [4, 3]),
        (Query(after=Cursor(ms(NOW), 1)), []),
        (Query(after=Cursor(ms(NOW + 3 * MINUTE), 4), until_ms=ms(NOW + MINUTE)), [1]),
    ],
    ids=str,
)
def test_events_come_newest_first_and_a_query_narrows_them(filled: Store, query: Query, seqs: list[int]) -> None:
    with filled.history() as history:
        assert [event["event_seq"] for event in history.events(query)] == seqs


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        (Query(), [4, 3, 2, 1]),
        (Query(status="dead"), [2]),
        (Query(status="skipped"), [4]),
        (Query(failed=True), [2]),
        (Query(failed=True, status="delivered"), []),
        (Query(destination=BOT, limit=1), [4]),
        (Query(destination="other"), []),
        (Query(mid=EVENTS[2].mid, text=TEXT), [4, 3]),
        (Query(author=AUTHOR, status="skipped"), [4]),
        (Query(since_ms=ms(NOW + MINUTE), until_ms=ms(NOW + 3 * MINUTE)), [3, 2]),
        (Query(after=Cursor(ms(NOW + 2 * MINUTE), 3, BOT)), [2, 1]),
        (Query(after=Cursor(ms(NOW + 2 * MINUTE), 3, "a")), [3, 2, 1]),
    ],
    ids=str,
)
def test_deliveries_come_newest_first_and_a_query_narrows_them(filled: Store, query: Query, seqs: list[int]) -> None:
    with filled.history() as history:
        assert [delivery["event_seq"] for delivery in history.deliveries(query)] == seqs


def test_an_event_is_found_by_its_id_by_the_beginning_of_it_and_by_its_post(filled: Store) -> None:
    event = EVENTS[2]
    with filled.history() as history:
        for text in (event.id, event.id[:12]):
            (found,) = history.find_events(text)
            assert (found["event_seq"], found["body"].encode()) == (3, event.body)
        assert history.find_events("f" * 32) == []
        assert [each["event_seq"] for each in history.find_posts(event.mid, source=event.source, limit=9)] == [3]
        assert [each["event_seq"] for each in history.find_posts(event.mid, source=None, limit=9)] == [3, 4]
        assert history.find_posts(event.mid, source="nowhere", limit=9) == []


def test_a_delivery_is_found_by_its_id_and_by_that_of_its_event(filled: Store) -> None:
    with filled.history() as history:
        (dead,) = history.dead_letters(Query())
        for text in (dead["delivery_id"], dead["event_id"]):
            (found,) = history.find_deliveries(text)
            assert [each["http_status"] for each in found["attempts"]] == [400]
            assert history.dead_keys([text]) == [(2, BOT)]
        assert history.find_deliveries("msg_" + "0" * 40) == []
        assert history.dead_keys(["f" * 32]) == []


def test_the_counts_are_those_of_the_lists(filled: Store) -> None:
    with filled.history() as history:
        assert history.count_dead(Query(until_ms=FOREVER_MS)) == 1
        assert history.count_dead(Query(destination="other")) == 0
        assert history.waiting() == {BOT: 1}
        assert history.dead_by_destination() == {BOT: 1}
        assert history.count_replaying(BOT) == 0
        assert history.count_replayable(Query(), to="other", missing=False) == 5
        assert history.count_replayable(Query(), to=BOT, missing=False) == 4  # one waits already
        assert history.count_replayable(Query(route="r"), to="other", missing=True) == 4


async def test_what_waits_is_as_old_as_its_oldest_event_whatever_it_waits_for(store: Store) -> None:
    async with store.open() as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING, at=NOW, order_key="a")
        keep(outbox, 1, DeliveryStatus.PENDING, at=NOW + MINUTE)
        keep(outbox, 2, DeliveryStatus.PENDING, at=NOW + 2 * MINUTE, waits_until=NOW + 9 * MINUTE)
        first = keep(outbox, 3, at=NOW + 3 * MINUTE)
        await stored(outbox)
        with store.history() as history:
            assert history.queues() == {BOT: QueueDepth(count=4, oldest_at=NOW.isoformat(timespec="milliseconds"))}
            assert history.file_bytes() > 4096
        for delivery in (*(await outbox.claim_in_order(BOT, "a", now=NOW, limit=1)).deliveries, first):
            outbox.complete(delivery, attempt(200))
        await stored(outbox)
        with store.history() as history:
            (queue,) = history.queues().values()
        assert queue == QueueDepth(count=2, oldest_at=(NOW + MINUTE).isoformat(timespec="milliseconds"))


def test_an_event_is_found_by_its_number_with_every_attempt(filled: Store) -> None:
    with filled.history() as history:
        event = history.event_at(2)
        assert event is not None
        assert (event["event_id"], event["body"]) == (EVENTS[1].id, EVENTS[1].body.decode())
        assert [attempt["http_status"] for attempt in event["deliveries"][0]["attempts"]] == [400]
        assert history.event_at(99) is None


async def test_dead_letters_are_read_a_page_at_a_time_also_those_that_died_together(store: Store) -> None:
    async with store.open() as outbox:
        for number in range(5):
            outbox.bury(keep(outbox, number), attempt(400), reason=f"HTTP 40{number % 2}")
    with filled_pages(store) as pages:
        assert pages(Query(limit=2)) == [[5, 4], [3, 2], [1]]
        assert pages(Query(limit=2, reason="HTTP 400")) == [[5, 3], [1]]
        assert pages(Query(limit=2, status="expired")) == []


def test_an_export_has_every_event_with_its_body_and_its_attempts(filled: Store) -> None:
    with filled.history() as history:
        found = list(history.export(Query()))
    assert {event["body"].encode() for event in found} == {event.body for event in EVENTS[:5]}
    assert sorted(len(each["attempts"]) for event in found for each in event["deliveries"]) == [0, 0, 1, 1]


def test_a_span_of_the_history_is_read_in_the_order_of_acceptance(filled: Store) -> None:
    with filled.history() as history:
        span = history.span_of(since_ms=ms(NOW + MINUTE), limit=None)
        assert (span.first_seq, span.count, span.begins_at, span.pruned) == (2, 4, NOW + MINUTE, 0)
        found = list(history.past_events(span))
        assert [each.seq for each in found] == [2, 3, 4, 5]
        assert [each.chosen for each in found] == [{BOT: ("r",)}, {BOT: ("r",)}, {}, {}]  # a sampled one is not sent
        assert found[0].body == EVENTS[1].body
        assert history.span_of(since_ms=0, limit=2).first_seq == 4
        assert history.span_of(since_ms=ms(NOW + MINUTE * 60), limit=None).begins_at is None


@pytest.mark.parametrize("by", ["the daemon", "a command"])
def test_changes_are_the_same_with_and_without_a_daemon(filled: Store, by: str) -> None:
    if by == "a command":
        with filled.editor() as editor:
            _change(editor.apply)
    else:

        async def through_the_daemon() -> None:
            async with filled.open() as outbox:
                loop = asyncio.get_running_loop()
                await asyncio.to_thread(
                    _change, lambda asked: asyncio.run_coroutine_threadsafe(outbox.change(asked), loop).result()
                )

        asyncio.run(through_the_daemon())
    with filled.history() as history:
        found = {(each["event_seq"], each["destination"]): each for each in history.deliveries(Query())}
        assert history.audit()[0].is_balanced
        assert history.count_replaying("other") == 5
    assert [(found[2, BOT][name]) for name in ("status", "trigger")] == ["pending", "manual"]
    assert {found[seq, "other"]["trigger"] for seq in range(1, 6)} == {"replay"}


def _change(apply: Callable[[Change], Changed]) -> None:
    dead = DeadLetterChange(verb="dead_replay", since_ms=0, until_ms=FOREVER_MS, start_ms=ms(NOW), rate=1.0)
    done = apply(dead)
    assert (done.changed, done.destinations, done.is_last) == (1, (BOT,), True)
    assert apply(dead).changed == 0
    replay = Replay(to="other", since_ms=0, until_ms=FOREVER_MS, start_ms=ms(NOW), rate=1.0)
    done = apply(replay)
    assert (done.changed, done.left_alone, done.last_seq, done.is_last) == (5, 0, 5, True)
    again = apply(replay)
    assert (again.changed, again.left_alone) == (0, 5)
    pause = PauseChange(verb="pause", destination=BOT, now_ms=ms(NOW))
    assert [apply(pause).changed for _ in range(2)] == [1, 0]


async def test_a_resend_takes_whatever_has_ended_and_leaves_alone_what_is_not_kept(filled: Store) -> None:
    asked = Resend(keys=((1, BOT), (2, BOT), (4, BOT), (5, "other"), (99, BOT), (1, BOT)), now_ms=ms(NOW))
    async with filled.open() as outbox:
        done = await outbox.change(asked)
        assert (done.changed, done.left_alone, done.destinations, done.is_last) == (4, 2, (BOT, "other"), True)
    with filled.history() as history:
        found = {(each["event_seq"], each["destination"]): each for each in history.deliveries(Query(status="pending"))}
        assert history.audit()[0].is_balanced
    sent = [(1, BOT), (2, BOT), (4, BOT), (5, "other")]
    assert {key for key, each in found.items() if each["trigger"] == "resend"} == {*sent}
    assert {each["due_at"] for key, each in found.items() if key in sent} == {NOW.isoformat(timespec="milliseconds")}


async def test_a_resend_brings_forward_what_waits_but_for_an_order_or_a_full_text(store: Store) -> None:
    async with store.open() as outbox:
        outbox.reschedule(keep(outbox, 0), attempt(503), at=NOW + MINUTE, keep=False)
        keep(outbox, 1, DeliveryStatus.PENDING, order_key="7", at=NOW + MINUTE)
        keep(outbox, 2, DeliveryStatus.PENDING, at=NOW, waits_until=NOW + MINUTE)
    asked = Resend(keys=tuple((seq, BOT) for seq in (1, 2, 3)), now_ms=ms(NOW))
    async with store.open() as outbox:
        done = await outbox.change(asked)
        assert (done.changed, done.left_alone) == (1, 2)
    with store.history() as history:
        found = {each["event_seq"]: each for each in history.deliveries(Query())}
        assert history.audit()[0].is_balanced
    assert (found[1]["due_at"], found[1]["trigger"]) == (NOW.isoformat(timespec="milliseconds"), "resend")
    assert [found[seq]["trigger"] for seq in (2, 3)] == ["first", "first"]


async def test_paused_destinations_are_known_with_the_time(filled: Store) -> None:
    async with filled.open() as outbox:
        await outbox.change(PauseChange(verb="pause", destination=BOT, now_ms=ms(NOW)))
    with filled.history() as history:
        assert history.paused() == {BOT: NOW.isoformat(timespec="milliseconds")}
        assert history.pause_ends() == {}
    end = NOW + timedelta(hours=2)
    async with filled.open() as outbox:
        await outbox.change(PauseChange(verb="pause", destination=BOT, now_ms=ms(NOW), until_ms=ms(end)))
    with filled.history() as history:
        assert history.pause_ends() == {BOT: end.isoformat(timespec="milliseconds")}


def test_dead_letters_are_counted_by_destination_and_reason(filled: Store) -> None:
    with filled.history() as history:
        (group,) = history.dead_groups(Query())
        assert {name: group[name] for name in ("destination", "status", "reason", "count")} == {
            "destination": BOT,
            "status": "dead",
            "reason": "HTTP 400",
            "count": 1,
        }
        assert len(list(history.dead_groups(Query(reason="HTTP 400", status="dead")))) == 1
        assert list(history.dead_groups(Query(reason="HTTP 500"))) == []
        assert [history.count_dead(Query(reason=reason)) for reason in ("HTTP 400", "HTTP 500")] == [1, 0]
        assert group["first_at"] == group["last_at"]
        for query in (Query(route="other"), Query(destination="other"), Query(text="no such words"), Query(mid="0")):
            assert list(history.dead_groups(query)) == []
        assert [history.count_dead(Query(route=route)) for route in ("r", "other")] == [1, 0]


async def test_a_route_selects_the_dead_letters_that_are_tried_again(filled: Store) -> None:
    asked = DeadLetterChange(verb="dead_replay", since_ms=0, until_ms=FOREVER_MS, start_ms=ms(NOW), rate=1.0)
    async with filled.open() as outbox:
        for keys in (None, ((2, BOT),)):
            assert (await outbox.change(asked.model_copy(update={"route": "other", "keys": keys}))).changed == 0
        assert (await outbox.change(asked.model_copy(update={"route": "r"}))).changed == 1


async def test_the_first_in_an_order_is_the_first_event_that_is_not_done_also_if_it_is_in_flight(store: Store) -> None:
    async with store.open() as outbox:
        for index in range(4):
            keep(outbox, index, DeliveryStatus.PENDING, order_key="7" if index != 1 else "8", at=NOW + index * MINUTE)
    with store.history() as history:
        assert [history.first_in_order(BOT, key) for key in ("7", "8", "9")] == [1, 2, None]
        assert history.first_in_order("other", "7") is None
    async with store.open() as outbox:
        (first,) = (await outbox.claim_in_order(BOT, "7", now=NOW + 5 * MINUTE, limit=1)).deliveries
        with store.history() as history:
            assert history.first_in_order(BOT, "7") == 1
        outbox.complete(first, attempt(200))
    with store.history() as history:
        assert history.first_in_order(BOT, "7") == 3


async def test_deliveries_with_a_failed_attempt_say_the_last_failure_whatever_came_of_them(store: Store) -> None:
    async with store.open() as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        retried = keep(outbox, 1)
        outbox.reschedule(retried, attempt(503), at=retried.accepted_at, keep=True)
        outbox.reschedule(retried, attempt(502, 2), at=retried.accepted_at, keep=True)
        outbox.complete(retried, attempt(200, 3))
        waits = keep(outbox, 2)
        outbox.reschedule(waits, attempt(500), at=waits.accepted_at + timedelta(hours=1), keep=False)
        keep(outbox, 3, DeliveryStatus.PENDING)  # the newest one has not been tried
        dropped = keep(outbox, 4)
        outbox.reschedule(dropped, attempt(404), at=dropped.accepted_at, keep=True)
        outbox.bury(dropped, attempt(410, 2), reason="HTTP 410")
        drop = DeadLetterChange(verb="dead_drop", since_ms=0, until_ms=FOREVER_MS, start_ms=0, rate=1.0)
        assert (await outbox.change(drop)).changed == 1
    with store.history() as history:
        found = [(each["status"], each["last_failure"]) for each in history.deliveries(Query(failed=True))]
        assert "last_failure" not in next(history.deliveries(Query()))
    assert [(status, (failure or "")[:8]) for status, failure in found] == [
        ("skipped", "HTTP 410"),
        ("pending", "HTTP 500"),
        ("delivered", "HTTP 502"),
    ]
