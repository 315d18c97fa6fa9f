"""What is stored after each outcome of an attempt, and what becomes due early."""

from datetime import datetime, timedelta

from msgspec import structs

from forwarder.core.delivery import SENT_TWICE, Answered, DeliveryStatus
from forwarder.core.history import Query, Record
from forwarder.core.ports import Claim
from forwarder.outbox.store import OutboxStore
from tests.contracts.support import Store, stored
from tests.support.outbox import BOT, NOW, attempt, keep


def deliveries(store: Store) -> list[Record]:
    """Return what is stored of all deliveries, oldest event first."""
    with store.history() as history:
        return list(history.deliveries(Query()))[::-1]


async def test_an_attempt_and_its_outcome_are_stored(store: Store) -> None:
    async with store.open() as outbox:
        done, later, dead, expired, released = (keep(outbox, number) for number in range(5))
        outbox.complete(done, attempt(200))
        outbox.reschedule(later, attempt(503), at=NOW + timedelta(hours=1), keep=False)
        outbox.bury(dead, attempt(400), reason="HTTP 400: no")
        outbox.expire(expired, None, reason="older than 1h", now=NOW)
        outbox.release(released)
    found = deliveries(store)
    assert [(each["status"], each["attempts_made"], each["reason"]) for each in found] == [
        ("delivered", 1, None),
        ("pending", 1, "HTTP 503: no"),
        ("dead", 1, "HTTP 400: no"),
        ("expired", 0, "older than 1h"),
        ("pending", 0, None),
    ]
    assert [(each["http_status"], each["excerpt"], each["duration_ms"]) for each in found] == [
        (200, "no", 12.0),
        (503, "no", 12.0),
        (400, "no", 12.0),
        (None, None, None),
        (None, None, None),
    ]
    assert store.is_balanced


async def test_an_attempt_that_sent_its_request_twice_says_so(store: Store) -> None:
    async with store.open() as outbox:
        done, later, dead = (keep(outbox, number) for number in range(3))
        twice = [
            structs.replace(attempt(status), outcome=Answered(status=status, note=SENT_TWICE)) for status in (200, 503)
        ]
        outbox.complete(done, twice[0])
        outbox.reschedule(later, twice[1], at=NOW + timedelta(hours=1), keep=False)
        outbox.bury(dead, twice[1], reason=twice[1].outcome.reason)
    assert [each["reason"] for each in deliveries(store)] == [SENT_TWICE, *[f"HTTP 503 ({SENT_TWICE})"] * 2]
    assert store.is_balanced


async def test_every_attempt_of_a_delivery_is_stored(store: Store) -> None:
    async with store.open() as outbox:
        delivery = keep(outbox, 0)
        outbox.reschedule(delivery, attempt(503), at=NOW, keep=True)
        outbox.reschedule(delivery, attempt(502, 2), at=NOW, keep=True)
        outbox.complete(delivery, attempt(200, 3))
    with store.history() as history:
        (found,) = history.find_deliveries(delivery.id)
    assert [(each["number"], each["http_status"]) for each in found["attempts"]] == [(1, 503), (2, 502), (3, 200)]
    assert (found["status"], found["attempts_made"]) == ("delivered", 3)


async def test_an_attempt_that_shows_nothing_about_the_receiver_is_not_counted(store: Store) -> None:
    at = NOW + timedelta(seconds=1)
    async with store.open() as outbox:
        outbox.postpone(keep(outbox, 0), at=at, reason="no network here", keep=False)
        assert await outbox.claim(BOT, now=NOW, limit=1) == Claim(deliveries=[], next_due=at)
    (found,) = deliveries(store)
    assert (found["status"], found["attempts_made"], found["reason"]) == ("pending", 0, "no network here")


async def test_an_uncounted_attempt_leaves_the_reason_of_the_last_counted_one(store: Store) -> None:
    async with store.open() as outbox:
        delivery = keep(outbox, 0)
        outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=1), keep=True)
        outbox.postpone(delivery, at=None, reason="no network here", keep=False)
    (found,) = deliveries(store)
    assert (found["status"], found["attempts_made"], found["http_status"], found["reason"]) == (
        "pending",
        1,
        503,
        "HTTP 503: no",
    )


async def test_expediting_makes_a_later_attempt_due_at_once(outbox: OutboxStore) -> None:
    delivery = keep(outbox, 0)
    outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
    await outbox.expedite(BOT, now=NOW)
    assert (await outbox.claim(BOT, now=NOW, limit=1)).deliveries != []


async def test_expediting_makes_only_the_first_of_each_order_due(store: Store) -> None:
    async with store.open() as outbox:
        for number, key in enumerate(["a", "a", "b"]):
            delivery = keep(outbox, number, order_key=key)
            outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
        assert (await outbox.claim_in_order(BOT, "a", now=NOW, limit=9)).deliveries == []
        await outbox.expedite(BOT, now=NOW)
        await stored(outbox)
    assert [datetime.fromisoformat(each["due_at"]) <= NOW for each in deliveries(store)] == [True, False, True]


async def test_first_words_that_are_replaced_end_with_the_next_event_and_are_never_claimed(store: Store) -> None:
    async with store.open() as outbox:
        first = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        taken = keep(outbox, 1)
        assert outbox.replace(BOT, first.event_seq, now=NOW)
        keep(outbox, 2, DeliveryStatus.PENDING)
        assert not outbox.replace(BOT, taken.event_seq, now=NOW)
        assert [each.event_seq for each in (await outbox.claim(BOT, now=NOW, limit=9)).deliveries] == [3]
    assert [(each["status"], each["reason"]) for each in deliveries(store)] == [
        ("skipped", "preferred"),
        ("in_flight", None),
        ("pending", None),  # a claim is not stored
    ]
    assert store.is_balanced


async def test_the_state_of_a_delivery_is_found_in_memory_or_where_it_is_stored(store: Store) -> None:
    async with store.open() as outbox:
        delivery = keep(outbox, 0)
        state = outbox.state_of(BOT, delivery.event_seq)
        assert state is not None
        assert state.is_open
        outbox.complete(delivery, attempt(200), receipt="m-77")
    async with store.open() as outbox:
        assert outbox.state_of(BOT, delivery.event_seq) is None
        state = await outbox.look_up(BOT, delivery.event_seq, now=NOW)
        assert state is not None
        assert (state.is_open, state.receipt) == (False, "m-77")
        assert await outbox.look_up(BOT, 404, now=NOW) is None
