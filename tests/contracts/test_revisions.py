"""Which config was active for which events, over reloads and restarts."""

from datetime import timedelta

from forwarder.core.config.revision import Revision, packed
from forwarder.core.yaml.tree import Scalar
from tests.contracts.support import Store
from tests.support.outbox import NOW, attempt, keep

LATER = NOW + timedelta(days=1)


def revision(name: str) -> Revision:
    return packed({"unmatched": Scalar(name)}, {})


A, B, C = map(revision, "ABC")


def active(store: Store, *seqs: int) -> list[str | None]:
    """Return the names of the configs that routed these events."""
    names = {each.digest: name for name, each in zip("ABC", (A, B, C), strict=True)}
    with store.history() as history:
        found = [history.revision_at(seq) for seq in seqs]
    return [None if kept is None else names[kept.digest] for kept in found]


async def test_each_event_has_the_config_that_was_active_when_it_came(store: Store) -> None:
    async with store.open() as outbox:
        keep(outbox, 0)
        outbox.note_revision(A, now=NOW)
        keep(outbox, 1)
        outbox.note_revision(A, now=LATER)
        keep(outbox, 2)
        outbox.note_revision(B, now=LATER)
        outbox.note_revision(C, now=LATER)  # B was active for no event
        outbox.note_revision(None, now=LATER)
        keep(outbox, 3)
    assert active(store, 1, 2, 3, 4, 5) == [None, "A", "A", "C", "C"]
    with store.history() as history:
        kept = history.revision_at(2)
    assert kept is not None
    assert (kept.digest, kept.data, kept.loaded_at) == (A.digest, A.data, NOW)


async def test_a_config_that_is_taken_back_before_an_event_came_routed_nothing(store: Store) -> None:
    async with store.open() as outbox:
        outbox.note_revision(A, now=NOW)
        keep(outbox, 0)
        outbox.note_revision(B, now=NOW)
        outbox.note_revision(A, now=NOW)
        keep(outbox, 1)
    assert active(store, 1, 2) == ["A", "A"]


async def test_the_config_of_a_kept_event_and_the_active_one_outlast_pruning(store: Store) -> None:
    async with store.open() as outbox:
        for number, each in enumerate((A, B, C)):
            outbox.note_revision(each, now=NOW)
            delivery = keep(outbox, number)
            if each is not A:
                outbox.complete(delivery, attempt(200))
        await outbox.prune(delivered_before=LATER, dead_before=LATER)
    assert active(store, 1, 3) == ["A", "C"]


async def test_new_events_never_belong_to_the_config_of_pruned_ones(store: Store) -> None:
    async with store.open() as outbox:
        outbox.note_revision(A, now=NOW)
        for number in range(5):
            outbox.complete(keep(outbox, number), attempt(200))
        outbox.note_revision(B, now=NOW)
        await outbox.prune(delivered_before=LATER, dead_before=LATER)
    async with store.open() as outbox:
        outbox.note_revision(C, now=LATER)
        seq = keep(outbox, 0).event_seq
    assert active(store, seq, seq + 99) == ["C", "C"]
