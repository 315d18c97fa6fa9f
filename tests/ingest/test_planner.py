"""Which deliveries an event gets, when and in which order, and which are skipped for what reason."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.delivery import Delivery, DeliveryStatus, DestinationName, Trigger
from forwarder.core.dispatch.ordering import Order
from forwarder.core.event import Event, decode_event
from forwarder.core.gaps.gap import GapId
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.core.matching import compile_condition
from forwarder.core.monitoring.counters import Counters
from forwarder.core.routing.first_word import FirstWords, OnFull, Prefer
from forwarder.core.routing.router import Route, Router
from forwarder.core.routing.table import RoutingTable
from forwarder.ingest.planner import Arrival, DeliveryPlanner, Recovery
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.outbox import NOW
from tests.support.process import look

BOT, OTHER = DestinationName("bot"), DestinationName("other")
FAST, FULL = "fast-x", "x"
WAIT = timedelta(seconds=3)
ROUTES = ("r",)


def route(prefer: Prefer) -> Route:
    condition = compile_condition({}, lambda path, message: pytest.fail(f"{path}: {message}"))
    return Route(name="r", condition=condition, to=(BOT, OTHER), prefer=prefer, wait=WAIT)


def event(mid: int = 1, *, source: str = FULL, sid: str = "7") -> Event:
    return decode_event(f'{{"mid":"{mid}","sid":"{sid}","source":"{source}","timestamp":1,"payload":{{}}}}'.encode())


class Active:
    """Holds the routing table that is active."""

    def __init__(self, routing_table: RoutingTable) -> None:
        self.routing_table = routing_table


class Scene:
    """A planner with a real outbox; what it plans is stored, as ingest does."""

    def __init__(self, outbox: SqliteOutbox) -> None:
        self.outbox = outbox
        self.counters = Counters()
        self.words = FirstWords()
        self.active = Active(RoutingTable(router=Router(routes=[route(Prefer.ALL)])))
        self.now = NOW
        self.skipped: dict[DeliveryStatus | SkipReason, list[Delivery]] = {}
        self.planner = DeliveryPlanner(
            active=self.active,
            first_words=self.words,
            outbox=outbox,
            counters=self.counters,
        )

    def follow(
        self,
        prefer: Prefer = Prefer.ALL,
        *,
        disabled: frozenset[DestinationName] = frozenset(),
        orders: Mapping[DestinationName, Order] | None = None,
        on_full: OnFull = OnFull.IGNORE,
    ) -> None:
        """Have another routing table be active."""
        self.active.routing_table = RoutingTable(
            router=Router(routes=[route(prefer)]), disabled=disabled, orders=orders or {}, on_full={BOT: on_full}
        )

    def plan(
        self,
        planned: Event,
        *to: DestinationName,
        held: Mapping[DestinationName, SkipReason] | None = None,
        trigger: Trigger = Trigger.FIRST,
        recovery: Recovery | None = None,
    ) -> list[Delivery]:
        """Plan and store an event; return the deliveries that are to be made."""
        self.skipped = {}
        seq = self.outbox.new_seq()
        wanted = self.planner.plan(
            planned,
            dict.fromkeys(to, ROUTES),
            {name: (cause, ROUTES) for name, cause in (held or {}).items()},
            self.skipped,
            seq,
            Arrival(self.now, self.now, 0.0),
            trigger,
            recovery,
        )
        status = {
            DeliveryStatus.PENDING: [each for each in wanted if each.waits_until is not None],
            DeliveryStatus.IN_FLIGHT: [each for each in wanted if each.waits_until is None],
        }
        self.outbox.enqueue(
            planned,
            seq,
            {**{key: each for key, each in status.items() if each}, **self.skipped},
            entry=LedgerEntry.MATCHED,
            now=self.now,
            read_at=monotonic(),
        )
        return wanted

    def causes(self) -> dict[str, list[str]]:
        """Return the destinations that were skipped, by the cause."""
        return {str(cause): [each.destination for each in found] for cause, found in self.skipped.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def scene(path: Path) -> AsyncIterator[Scene]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        yield Scene(outbox)


async def test_each_destination_that_was_chosen_gets_the_event(scene: Scene) -> None:
    one, two = scene.plan(event(), BOT, OTHER)
    assert (one.destination, two.destination) == (BOT, OTHER)
    assert (one.routes, one.accepted_at, one.trigger, one.order_key) == (ROUTES, NOW, Trigger.FIRST, None)
    assert one.event_seq == two.event_seq
    assert scene.skipped == {}
    assert scene.counters == Counters()


async def test_a_disabled_destination_is_skipped_and_counted(scene: Scene) -> None:
    scene.follow(disabled=frozenset({OTHER}))
    assert [each.destination for each in scene.plan(event(), BOT, OTHER)] == [BOT]
    assert scene.causes() == {"disabled": ["other"]}
    assert scene.counters.skipped == 1
    assert scene.counters.skipped_by == {OTHER: 1}


@pytest.mark.parametrize(("cause", "counter"), [(SkipReason.SAMPLED, "sampled"), (SkipReason.LIMITED, "limited")])
async def test_what_a_route_holds_back_is_stored_with_its_cause(scene: Scene, cause: SkipReason, counter: str) -> None:
    assert scene.plan(event(), BOT, held={OTHER: cause}) != []
    assert scene.causes() == {str(cause): ["other"]}
    assert getattr(scene.counters, counter) == 1
    assert scene.counters.skipped == 0
    assert scene.counters.skipped_by == {OTHER: 1}


async def test_what_a_route_holds_back_from_a_disabled_destination_is_skipped_as_disabled(scene: Scene) -> None:
    scene.follow(disabled=frozenset({OTHER}), orders={OTHER: Order.STRICT})
    scene.plan(event(), held={OTHER: SkipReason.LIMITED})
    assert scene.causes() == {"disabled": ["other"]}
    assert (scene.counters.skipped, scene.counters.limited) == (1, 0)
    (held,) = scene.skipped[SkipReason.DISABLED]
    assert held.order_key is None


async def test_an_ordered_destination_gets_its_deliveries_under_a_key(scene: Scene) -> None:
    scene.follow(orders={BOT: Order.SID, OTHER: Order.STRICT})
    keys = {
        (each.destination, sid): each.order_key for sid in ("7", "8") for each in scene.plan(event(sid=sid), BOT, OTHER)
    }
    assert keys[BOT, "7"] != keys[BOT, "8"]
    assert keys[OTHER, "7"] == keys[OTHER, "8"]
    assert None not in keys.values()


async def test_a_canary_has_no_place_in_the_order(scene: Scene) -> None:
    scene.follow(orders={BOT: Order.STRICT})
    (canary,) = scene.plan(event(source="forwarder"), BOT, trigger=Trigger.CANARY)
    assert (canary.order_key, canary.trigger) == (None, Trigger.CANARY)


async def test_the_second_event_of_a_post_is_skipped_where_the_first_is_preferred(scene: Scene) -> None:
    scene.follow(Prefer.FIRST)
    assert len(scene.plan(event(source=FAST), BOT)) == 1
    assert scene.plan(event(), BOT) == []
    assert scene.causes() == {"preferred": ["bot"]}
    assert scene.counters.skipped == 1
    assert len(scene.plan(event(), OTHER)) == 1  # which has not had the first


async def test_a_first_word_that_waits_has_no_place_in_the_order_yet(scene: Scene) -> None:
    scene.follow(Prefer.FULL, orders={BOT: Order.STRICT})
    (waiting,) = scene.plan(event(source=FAST), BOT)
    assert (waiting.waits_until, waiting.order_key) == (NOW + WAIT, None)
    (full,) = scene.plan(event(2), BOT)
    assert full.waits_until is None
    assert full.order_key is not None


async def test_a_full_text_replaces_the_first_word_that_waits(scene: Scene, path: Path) -> None:
    scene.follow(Prefer.FULL)
    scene.plan(event(source=FAST), BOT)
    scene.now += timedelta(seconds=1)
    (full,) = scene.plan(event(), BOT)
    assert full.edits is None
    assert scene.counters.skipped == 1
    await scene.outbox.settle()
    assert look(path, "SELECT status, reason FROM deliveries ORDER BY event_seq") == [
        ("skipped", "preferred"),
        ("in_flight", None),
    ]


@pytest.mark.parametrize(("on_full", "count"), [(OnFull.IGNORE, 0), (OnFull.SEND, 1), (OnFull.EDIT, 1)])
async def test_a_full_text_after_its_first_word_was_sent_is_up_to_the_destination(
    scene: Scene, on_full: OnFull, count: int
) -> None:
    scene.follow(Prefer.FULL, on_full=on_full)
    (first,) = scene.plan(event(source=FAST), BOT)
    scene.now += 2 * WAIT
    found = scene.plan(event(), BOT)
    assert len(found) == count
    assert [each.edits for each in found] == [first.event_seq if on_full is OnFull.EDIT else None] * count


async def test_a_disabled_destination_remembers_no_first_word(scene: Scene) -> None:
    scene.follow(Prefer.FIRST, disabled=frozenset({BOT}))
    assert scene.plan(event(source=FAST), BOT) == []
    assert scene.causes() == {"disabled": ["bot"]}
    scene.follow(Prefer.FIRST)
    assert len(scene.plan(event(), BOT)) == 1


async def test_other_sources_have_posts_of_their_own(scene: Scene) -> None:
    scene.follow(Prefer.FIRST)
    assert len(scene.plan(event(source=FAST), BOT)) == 1
    assert len(scene.plan(event(source="telegram"), BOT)) == 1


async def test_what_the_repair_of_a_gap_found_is_marked_and_judged_by_what_was_had_at_that_time(scene: Scene) -> None:
    scene.follow(Prefer.FIRST)
    earlier = FirstWords()
    earlier.judge(FAST, "1", BOT, event_seq=1, on_full=OnFull.IGNORE, now=NOW)
    recovery = Recovery(GapId(1), earlier)
    assert scene.plan(event(1), BOT, recovery=recovery) == []
    assert scene.causes() == {"preferred": ["bot"]}
    (found,) = scene.plan(event(2), BOT, recovery=recovery)
    assert (found.is_recovered, found.trigger) == (True, Trigger.RECOVERED)
    scene.plan(event(3), held={OTHER: SkipReason.LIMITED}, recovery=recovery)
    (held,) = scene.skipped[SkipReason.LIMITED]
    assert held.is_recovered
