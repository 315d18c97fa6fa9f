"""Of the two events of one post: which goes where, whatever the order in which they come."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.delivery import DestinationName
from forwarder.core.ledger import SkipReason
from forwarder.core.routing.first_word import (
    UNWANTED,
    WANTED,
    WINDOW,
    EarlierDelivery,
    FirstWordDecision,
    FirstWords,
    OnFull,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOT, OTHER = DestinationName("bot"), DestinationName("other")


def judged(words: FirstWords, *sources: str, on_full: OnFull, seq: int = 1) -> list[FirstWordDecision]:
    """Return the decisions about events of one post, which have the numbers from `seq` on."""
    return [
        words.judge(source, "9", BOT, event_seq=number, on_full=on_full, now=NOW)
        for number, source in enumerate(sources, seq)
    ]


def edit(seq: int) -> FirstWordDecision:
    return FirstWordDecision(is_wanted=True, edits=seq)


@pytest.mark.parametrize(
    ("sources", "on_full", "expected"),
    [
        (("fast-x", "x"), OnFull.IGNORE, [WANTED, UNWANTED]),
        (("fast-x", "x"), OnFull.SEND, [WANTED, WANTED]),
        (("fast-x", "x"), OnFull.EDIT, [WANTED, edit(1)]),
        *(((("x", "fast-x"), on_full, [WANTED, UNWANTED])) for on_full in OnFull),
        *((((source,), on_full, [WANTED])) for source in ("x", "fast-x") for on_full in OnFull),
        # The same source again, with another payload, is no other event of the pair.
        *(((("x", "x"), on_full, [WANTED, WANTED])) for on_full in OnFull),
        *(((("fast-x", "fast-x"), on_full, [WANTED, WANTED])) for on_full in OnFull),
        # The full text again: as the one before it. An edit waits for the last one of its post.
        (("fast-x", "x", "x"), OnFull.IGNORE, [WANTED, UNWANTED, UNWANTED]),
        (("fast-x", "x", "x"), OnFull.EDIT, [WANTED, edit(1), edit(2)]),
        (("fast-x", "fast-x", "x"), OnFull.EDIT, [WANTED, WANTED, edit(2)]),
        # A first word is late once the full text has come, whether that was delivered or not.
        *(
            (("fast-x", "x", "fast-x"), on_full, [WANTED, second, UNWANTED])
            for on_full, second in ((OnFull.IGNORE, UNWANTED), (OnFull.EDIT, edit(1)), (OnFull.SEND, WANTED))
        ),
        (("x", "fast-x", "x"), OnFull.IGNORE, [WANTED, UNWANTED, WANTED]),
        (("x", "fast-x", "x"), OnFull.EDIT, [WANTED, UNWANTED, WANTED]),
    ],
)
def test_of_two_events_the_first_goes_and_the_destination_decides_about_the_full_text(
    sources: tuple[str, ...], on_full: OnFull, expected: list[FirstWordDecision]
) -> None:
    assert judged(FirstWords(), *sources, on_full=on_full) == expected


def test_posts_and_destinations_have_nothing_to_do_with_each_other() -> None:
    words = FirstWords()
    for mid, destination in (("1", BOT), ("2", BOT), ("1", OTHER)):
        for source, expected in (("fast-x", WANTED), ("x", UNWANTED)):
            found = words.judge(source, mid, destination, event_seq=1, on_full=OnFull.IGNORE, now=NOW)
            assert found == expected


def test_it_is_forgotten_after_the_window_and_when_there_are_too_many() -> None:
    def judge(words: FirstWords, source: str, mid: str, after: timedelta) -> FirstWordDecision:
        return words.judge(source, mid, BOT, event_seq=1, on_full=OnFull.IGNORE, now=NOW + after)

    words = FirstWords()
    judge(words, "fast-x", "1", timedelta())
    assert judge(words, "x", "1", WINDOW) == UNWANTED
    assert judge(words, "x", "1", WINDOW + timedelta(seconds=1)) == WANTED
    words = FirstWords(capacity=3)
    for mid in ("1", "2", "3", "4"):
        judge(words, "fast-x", mid, timedelta())
    assert len(words) == 3
    assert judge(words, "x", "4", timedelta()) == UNWANTED
    assert judge(words, "x", "1", timedelta()) == WANTED


@pytest.mark.parametrize("on_full", OnFull)
@pytest.mark.parametrize(
    "sources", [("fast-x", "x", "x"), ("x", "fast-x", "x"), ("fast-x", "fast-x", "x", "fast-x"), ("x", "x", "fast-x")]
)
def test_a_restart_anywhere_changes_nothing(sources: tuple[str, ...], on_full: OnFull) -> None:
    whole = judged(FirstWords(), *sources, on_full=on_full)
    for cut in range(len(sources) + 1):
        words = FirstWords()
        for number, (source, verdict) in enumerate(zip(sources[:cut], whole, strict=False), 1):
            cause = None if verdict.is_wanted else SkipReason.PREFERRED
            words.recall(brought(number, source, cause=cause), frozenset({"first"}))
        assert judged(words, *sources[cut:], on_full=on_full, seq=cut + 1) == whole[cut:]


def brought(
    number: int,
    source: str,
    *,
    cause: str | None = None,
    routes: tuple[str, ...] = ("first",),
    at: datetime = NOW,
    waits_until: datetime | None = None,
) -> EarlierDelivery:
    return EarlierDelivery(
        event_seq=number,
        source=source,
        mid="9",
        destination=BOT,
        routes=routes,
        at=at,
        cause=cause,
        waits_until=waits_until,
    )


def test_what_was_not_sent_or_came_by_other_routes_as_well_is_not_recalled() -> None:
    words = FirstWords()
    words.recall(brought(1, "fast-x", cause=SkipReason.DISABLED), frozenset({"first"}))
    words.recall(brought(2, "fast-x", routes=("first", "all")), frozenset({"first"}))
    words.recall(brought(3, "x", cause=SkipReason.PREFERRED), frozenset({"first"}))  # its first word is forgotten
    assert judged(words, "x", on_full=OnFull.IGNORE) == [WANTED]


SECOND = timedelta(seconds=1)
WAIT = 3 * SECOND


class Post:
    """One post at a destination whose routes prefer the full text; times are seconds since the beginning."""

    def __init__(self, on_full: OnFull = OnFull.IGNORE) -> None:
        self.words = FirstWords()
        self.on_full = on_full
        self.kept: list[EarlierDelivery] = []

    def bring(self, source: str, at: float, *, seq: int) -> FirstWordDecision:
        """Bring an event as ingest does."""
        now = NOW + at * SECOND
        if source == "x":
            for waiting in self.words.waiting("9", BOT, now=now):
                self.words.replaced("9", BOT, waiting)
                self._keep(waiting, "fast-x", cause=SkipReason.PREFERRED)
        found = self.words.judge(source, "9", BOT, event_seq=seq, on_full=self.on_full, now=now, wait=WAIT)
        cause = None if found.is_wanted else SkipReason.PREFERRED
        self.kept.append(brought(seq, source, cause=cause, at=now, waits_until=found.waits_until))
        return found

    def _keep(self, seq: int, source: str, *, cause: str) -> None:
        self.kept = [brought(seq, source, cause=cause, at=old.at) if old.event_seq == seq else old for old in self.kept]

    def restart(self) -> None:
        self.words = FirstWords()
        for each in self.kept:
            self.words.recall(each, frozenset({"first"}))

    def waiting(self, at: float) -> tuple[int, ...]:
        return self.words.waiting("9", BOT, now=NOW + at * SECOND)


def until(at: float) -> FirstWordDecision:
    return FirstWordDecision(is_wanted=True, waits_until=NOW + at * SECOND)


Brings = tuple[tuple[str, float, FirstWordDecision], ...]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    ("brings", "on_full"),
    [
        *(((("fast-x", 0, until(3)), ("x", 2.9, WANTED)), on_full) for on_full in OnFull),
        *(((("x", 0, WANTED), ("fast-x", 1, UNWANTED)), on_full) for on_full in OnFull),
        ((("fast-x", 0, until(3)), ("x", 3, UNWANTED)), OnFull.IGNORE),
        ((("fast-x", 0, until(3)), ("x", 3, WANTED)), OnFull.SEND),
        ((("fast-x", 0, until(3)), ("x", 3, edit(1))), OnFull.EDIT),
        # What follows a full text that came in time is as where it came alone.
        ((("fast-x", 0, until(3)), ("x", 1, WANTED), ("fast-x", 2, UNWANTED), ("x", 4, WANTED)), OnFull.EDIT),
        # Two first words: one full text is for both, but where the first one has gone, the second one goes as well.
        ((("fast-x", 0, until(3)), ("fast-x", 1, until(4)), ("x", 2, WANTED)), OnFull.EDIT),
        ((("fast-x", 0, until(3)), ("fast-x", 1, until(4)), ("x", 3.5, edit(2))), OnFull.EDIT),
        ((("fast-x", 0, until(3)), ("fast-x", 1, until(4)), ("x", 3.5, UNWANTED)), OnFull.IGNORE),
    ],
)
def test_a_full_text_takes_the_place_of_what_waits_for_it_and_comes_late_once_that_is_over(
    brings: Brings, on_full: OnFull, is_restarted: bool
) -> None:
    post = Post(on_full)
    for seq, (source, at, expected) in enumerate(brings, 1):
        if is_restarted:
            post.restart()
        assert post.bring(source, at, seq=seq) == expected


def test_what_waits_is_known_until_its_wait_is_over() -> None:
    post = Post()
    post.bring("fast-x", 0, seq=1)
    assert post.words.waiting("9", OTHER, now=NOW) == post.words.waiting("8", BOT, now=NOW) == ()
    assert post.waiting(2.999) == (1,)
    assert post.waiting(3) == ()


def test_one_that_cannot_be_replaced_any_more_counts_as_gone() -> None:
    post = Post(OnFull.EDIT)
    post.bring("fast-x", 0, seq=1)
    assert post.waiting(1) == (1,)  # and yet a lane has it
    found = post.words.judge("x", "9", BOT, event_seq=2, on_full=OnFull.EDIT, now=NOW + SECOND, wait=WAIT)
    assert found == edit(1)


def test_a_replacement_of_a_post_that_is_not_known_changes_nothing() -> None:
    words = FirstWords()
    words.replaced("9", BOT, 1)
    assert len(words) == 0
    assert judged(words, "fast-x", "x", on_full=OnFull.IGNORE) == [WANTED, UNWANTED]
