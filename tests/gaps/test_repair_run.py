"""One run of a repair, with a history that is made of pages."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.core.gaps.history_api import Account, Accounts, HistoryPost, Page, TimeSpan
from forwarder.core.gaps.repair_progress import RepairProgress
from forwarder.core.routing.first_word import FirstWords
from forwarder.gaps.repair_run import RepairRun
from forwarder.streams.faults import FaultKind, StreamFaultError
from tests.support.gaps import Book

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = BEGAN + timedelta(minutes=5)
ONE, OTHER = (Account(id=f"cl{sid}", sid=sid, name=f"a{sid}") for sid in ("1", "2"))
ODD = StreamFaultError(FaultKind.ODD_ANSWER, "no JSON")
BUSY = StreamFaultError(FaultKind.BUSY, "busy")

Answer = Page | StreamFaultError | None


def page(*mids: str, cursor: str | None = None, at: datetime = BEGAN) -> Page:
    return Page(posts=[HistoryPost(mid=mid, at=at, frame=mid.encode()) for mid in mids], cursor=cursor)


@dataclass
class FakeHistory:
    """Answers from lists: the pages of each account, and recent posts."""

    pages: dict[str, list[Answer]] = field(default_factory=dict)
    recent_answers: list[Answer] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    async def tracked(self) -> Accounts:
        self.requested.append("tracked")
        return Accounts([ONE, OTHER])

    async def recent(self, accounts: Sequence[Account], _span: TimeSpan) -> Page | None:
        self.requested.append("recent " + " ".join(account.name for account in accounts))
        return _said(self.recent_answers.pop(0) if self.recent_answers else None)

    async def page(self, account: Account, _span: TimeSpan, cursor: str | None) -> Page | None:
        self.requested.append(f"{account.name} {cursor or ''}".strip())
        answers = self.pages.get(account.name, [page()])
        return _said(answers.pop(0) if len(answers) > 1 else answers[0])


def _said(answer: Answer) -> Page | None:
    if isinstance(answer, StreamFaultError):
        raise answer
    return answer


@dataclass
class Sink:
    """Takes everything once."""

    repairing: Callable[[], AbstractContextManager[None]] = nullcontext
    frames: list[bytes] = field(default_factory=list)

    async def recover(self, frame: bytes, gap: GapId, earlier: FirstWords) -> bool:  # noqa: ARG002 - the arguments of the real one
        if frame in self.frames:
            return False
        self.frames.append(frame)
        return True


class RepairNotes(Book):
    """A book with the verbs that only a repair needs."""

    async def gaps_to_repair(self) -> list[Gap]:
        return list(self.gaps.values())

    async def posts_since(self, since: datetime, **_: object) -> set[str]:  # noqa: ARG002 - the arguments of the real one
        return set()


def run_of(
    history: FakeHistory, *, known: set[str] | None = None, now: datetime = ENDED + timedelta(hours=1)
) -> RepairRun:
    gap = Gap(id=GapId(1), stream="main", began=BEGAN, noticed=BEGAN, ended=ENDED, reason="cut", repair=Repair.PENDING)
    return RepairRun(
        progress=RepairProgress(gap, due_s=0.0),
        history=history,  # type: ignore[arg-type] # has the verbs of a client
        span=TimeSpan(BEGAN, ENDED),
        known=known or set(),
        earlier=FirstWords(),
        sink=Sink(),
        book=RepairNotes(),
        clock=lambda: now,
        arrived_at=ENDED + timedelta(seconds=35),
    )


def frames(run: RepairRun) -> list[bytes]:
    assert isinstance(run.sink, Sink)
    return run.sink.frames


async def test_recent_posts_come_first_then_the_pages_of_each_account_and_what_is_known_is_left_out() -> None:
    history = FakeHistory(
        pages={"a1": [page("3", "4", cursor="next"), page("5")], "a2": [page("6")]},
        recent_answers=[page("1", "2")],
    )
    run = run_of(history, known={"2", "4"})
    await run.run()
    assert history.requested == ["tracked", "recent a1 a2", "a1", "a1 next", "a2"]
    assert frames(run) == [b"1", b"3", b"5", b"6"]
    assert run.progress.gap.recovered == 4
    assert not run.progress.left


async def test_an_account_that_the_history_does_not_know_and_one_without_end_are_noted() -> None:
    run = run_of(FakeHistory(pages={"a1": [None], "a2": [page(cursor="same")]}))
    await run.run()
    assert run.progress.note() == "the posts of 2 accounts could not be fetched (a1: the history does not know it)"


async def test_a_response_that_cannot_be_read_is_requested_again_at_the_end() -> None:
    run = run_of(FakeHistory(pages={"a1": [ODD, page("1")]}))
    with pytest.raises(StreamFaultError, match="the responses for 1 account could not be read"):
        await run.run()
    assert list(run.progress.left) == [ONE]
    await run.run()
    assert frames(run) == [b"1"]


async def test_any_other_fault_ends_the_run_and_the_account_is_still_to_be_requested() -> None:
    run = run_of(FakeHistory(pages={"a1": [BUSY, page("1")], "a2": [page("2")]}))
    with pytest.raises(StreamFaultError, match="busy"):
        await run.run()
    assert list(run.progress.left) == [ONE, OTHER]
    await run.run()
    assert frames(run) == [b"1", b"2"]


async def test_a_busy_server_is_asked_for_recent_posts_in_three_runs_and_then_only_for_the_history() -> None:
    history = FakeHistory(pages={"a1": [page("1")]}, recent_answers=[BUSY] * 3)
    run = run_of(history)
    for _ in range(2):
        with pytest.raises(StreamFaultError, match="busy"):
            await run.run()
        run.progress.failures += 1  # as the repairer counts it
    await run.run()
    assert not run.progress.unasked_recent
    assert frames(run) == [b"1"]


async def test_a_post_written_after_the_gap_waits_until_a_stream_must_have_brought_it() -> None:
    late = page("9", at=ENDED + timedelta(seconds=1))
    run = run_of(FakeHistory(pages={"a1": [late]}), now=ENDED + timedelta(seconds=35, milliseconds=-10))
    run.known.add("8")
    await run._take_page(late)
    assert frames(run) == []
    assert set(run.progress.late) == {"9"}
    await run.run()
    assert frames(run) == [b"9"]
    assert not run.progress.late
