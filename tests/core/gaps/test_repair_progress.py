"""How far a repair has come, what it requests, and how long it waits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.core.gaps.history_api import Account, Accounts, HistoryPost, Page
from forwarder.core.gaps.repair_progress import LONGEST, MARGIN, RepairProgress, span_of

BEGAN = datetime(2026, 1, 10, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=5)
DAY = timedelta(days=1)
ONE, OTHER = (Account(id=f"cl{sid}", sid=sid, name=f"a{sid}") for sid in ("1", "2"))
UNNUMBERED = Account(id="clx", sid="", name="x")


def gap(ended: datetime | None = ENDED, began: datetime = BEGAN) -> Gap:
    return Gap(id=GapId(1), stream="main", began=began, noticed=began, ended=ended, reason="cut", repair=Repair.PENDING)


def progress(of: Gap | None = None) -> RepairProgress:
    return RepairProgress(gap() if of is None else of, due_s=0.0)


def post(mid: str, at: datetime) -> HistoryPost:
    return HistoryPost(mid=mid, at=at, frame=b"{}")


def postpone(of: RepairProgress, reason: str = "busy", **changes: object) -> float | None:
    given_ = {"minimum": timedelta(), "needs_a_person": False, "chance": 0.0, "now_s": 100.0} | changes
    return of.postpone(reason, **given_)  # type: ignore[arg-type] # the parameters' own types


def test_the_span_has_a_margin_on_both_sides_where_the_outbox_knows_what_came_before() -> None:
    span = span_of(gap(), now=ENDED, kept_for=DAY)
    assert (span.since, span.until) == (BEGAN - MARGIN, ENDED + MARGIN)
    assert span_of(gap(), now=BEGAN + DAY, kept_for=DAY).since == BEGAN


def test_of_a_gap_longer_than_a_week_the_last_week_is_requested_and_the_note_says_so() -> None:
    long = gap(began=ENDED - LONGEST - DAY)
    assert span_of(long, now=ENDED, kept_for=30 * DAY).since == ENDED - LONGEST
    assert progress(long).note() == "only its last 7 days were requested"


def test_accounts_are_requested_and_only_those_with_a_number_for_recent_posts() -> None:
    of = progress()
    of.note_accounts(Accounts([ONE, UNNUMBERED, OTHER], odd=2))
    assert of.is_listed
    assert list(of.left) == [ONE, UNNUMBERED, OTHER]
    assert list(of.unasked_recent) == [ONE, OTHER]
    assert of.note() == (
        "the posts of 2 accounts could not be fetched (their records in the list of tracked accounts cannot be read)"
    )


def test_an_account_whose_response_cannot_be_read_is_requested_three_times() -> None:
    of = progress()
    for _ in range(2):
        of.note_odd_answer(ONE, "no JSON")
        assert of.again == [ONE]
        assert of.note() == ""
        assert of.ask_again() == "the responses for 1 account could not be read"
        assert of.left.pop() == ONE
        assert not of.again
    of.note_odd_answer(ONE, "no JSON")
    assert not of.again
    assert of.note() == "the posts of 1 account could not be fetched (a1: no JSON)"


def test_found_posts_are_those_of_the_gap_itself_and_each_counts_once() -> None:
    of = progress()
    assert not progress().has_anything
    page = Page(posts=[post("1", BEGAN - MARGIN), post("2", BEGAN), post("3", ENDED)], cursor=None, odd=1)
    of.note_answer(page)
    of.note_answer(page)
    assert of.has_anything
    assert of.found == {"2", "3"}
    assert of.note() == "2 records of the history could not be read"
    assert (of.note_recovered("2").recovered, of.gap.found) == (1, 2)
    kept = of.end(Repair.DONE, "")
    assert (kept.repair, kept.found, kept.recovered, of.is_over) == (Repair.DONE, 2, 1, True)


@pytest.mark.parametrize(
    ("needs_a_person", "waits"), [(False, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]), (True, [60, 120, 240])]
)
def test_each_failure_in_a_row_doubles_the_wait_up_to_a_quarter_of_an_hour(
    needs_a_person: bool, waits: list[float]
) -> None:
    of = progress()
    for wait in waits:
        postpone(of, needs_a_person=needs_a_person)
        assert of.due_s == 100 + wait


@given(st.floats(0, 1), st.integers(0, 1_000), st.integers(0, 3_600))
def test_a_wait_is_at_most_a_fifth_shorter_and_never_shorter_than_the_server_asks_for(
    chance: float, failures: int, minimum_s: int
) -> None:
    of = progress()
    of.failures = failures
    postpone(of, chance=chance, minimum=timedelta(seconds=minimum_s))
    wait_s = of.due_s - 100
    assert max(minimum_s, 4) - 1e-6 <= wait_s <= max(minimum_s, 900) + 1e-6


def test_a_reason_is_reported_once_and_a_gap_that_waits_shows_it() -> None:
    of = progress()
    assert postpone(of, "busy") == 5
    assert postpone(of, "busy") is None
    assert postpone(of, "no route") == 20
    assert of.waiting().note == "no route"


def test_another_source_does_not_wait_for_what_was_wrong_with_the_one_before() -> None:
    of = progress()
    of.note_source("one")
    postpone(of)
    of.note_source("one")
    assert (of.failures, of.due_s) == (1, 105)
    of.note_source("other")
    assert (of.failures, of.due_s, of.reason) == (0, 0, "")


def test_a_list_of_accounts_that_could_be_read_whole_needs_no_note() -> None:
    of = progress()
    of.note_accounts(Accounts([ONE, OTHER]))
    assert list(of.left) == [ONE, OTHER]
    assert "could not be fetched" not in of.note()
