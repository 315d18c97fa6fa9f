"""Of the two events of one post: which goes where, whatever the order in which they come."""

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.books import Cause
from forwarder.core.delivery import DestinationName
from forwarder.core.preference import UNWANTED, WANTED, WINDOW, Brought, FirstWords, OnFull, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOT, OTHER = DestinationName("bot"), DestinationName("other")


def judged(words: FirstWords, *sources: str, on_full: OnFull, seq: int = 1) -> list[Verdict]:
    """Return what becomes of events of one post, which have the numbers from `seq` on."""
    return [
        words.judge(source, "9", BOT, event_seq=number, on_full=on_full, now=NOW)
        for number, source in enumerate(sources, seq)
    ]


def edit(seq: int) -> Verdict:
    return Verdict(is_wanted=True, edits=seq)


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
        # A first word is late once the full text was here, whatever became of that.
        *(
            (("fast-x", "x", "fast-x"), on_full, [WANTED, second, UNWANTED])
            for on_full, second in ((OnFull.IGNORE, UNWANTED), (OnFull.EDIT, edit(1)), (OnFull.SEND, WANTED))
        ),
        (("x", "fast-x", "x"), OnFull.IGNORE, [WANTED, UNWANTED, WANTED]),
        (("x", "fast-x", "x"), OnFull.EDIT, [WANTED, UNWANTED, WANTED]),
    ],
)
def test_of_two_events_the_first_goes_and_the_destination_says_what_becomes_of_the_full_text(
    sources: tuple[str, ...], on_full: OnFull, expected: list[Verdict]
) -> None:
    assert judged(FirstWords(), *sources, on_full=on_full) == expected


def test_posts_and_destinations_have_nothing_to_do_with_each_other() -> None:
    words = FirstWords()
    for mid, destination in (("1", BOT), ("2", BOT), ("1", OTHER)):
        for source, expected in (("fast-x", WANTED), ("x", UNWANTED)):
            found = words.judge(source, mid, destination, event_seq=1, on_full=OnFull.IGNORE, now=NOW)
            assert found == expected


def test_it_is_forgotten_after_the_window_and_when_there_are_too_many() -> None:
    def judge(words: FirstWords, source: str, mid: str, after: timedelta) -> Verdict:
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
            cause = None if verdict.is_wanted else Cause.PREFERRED
            words.recall(brought(number, source, cause=cause), frozenset({"first"}))
        assert judged(words, *sources[cut:], on_full=on_full, seq=cut + 1) == whole[cut:]


def brought(number: int, source: str, *, cause: str | None = None, routes: tuple[str, ...] = ("first",)) -> Brought:
    return Brought(event_seq=number, source=source, mid="9", destination=BOT, routes=routes, at=NOW, cause=cause)


def test_what_was_not_sent_or_came_by_other_routes_as_well_is_not_recalled() -> None:
    words = FirstWords()
    words.recall(brought(1, "fast-x", cause=Cause.DISABLED), frozenset({"first"}))
    words.recall(brought(2, "fast-x", routes=("first", "all")), frozenset({"first"}))
    words.recall(brought(3, "x", cause=Cause.PREFERRED), frozenset({"first"}))  # its first word is forgotten
    assert judged(words, "x", on_full=OnFull.IGNORE) == [WANTED]
