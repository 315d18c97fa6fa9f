"""How far the repair of a gap has come, and what time of the history it asks for. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from forwarder.core.gaps import Gap, Repair
from forwarder.core.history import Account, Accounts, HistoryPost, Page, Span
from forwarder.core.text import one_line

FULL_ONLY, FAST_AND_FULL = ("x",), ("x", "fast-x")
MARGIN = timedelta(seconds=30)
"""Before and after a gap: clocks differ, and a post is written a little before it is sent."""
LONGEST = timedelta(days=7)
"""Of a longer gap only the end is asked for."""
GIVE_UP_AFTER = timedelta(hours=24)
"""After the end of a gap nobody waits for what was missed any more."""
_TRIES = 3
"""Of an account whose answer cannot be read."""
_FIRST_WAIT_S, _FIRST_WAIT_FOR_A_PERSON_S, _LONGEST_WAIT_S = 5.0, 60.0, 900.0
_LONGEST_NAME = 50


def span_of(gap: Gap, *, now: datetime, kept_for: timedelta) -> Span:
    """Return the time to ask for. Where the outbox knows no more what came before the gap, no margin is before it."""
    ended = gap.ended or now
    since = gap.began - MARGIN if gap.began - MARGIN > now - kept_for else gap.began
    return Span(max(since, ended - LONGEST), ended + MARGIN)


@dataclass(slots=True)
class Progress:
    """Of one gap, within one process. A restart begins anew, but for what was recovered."""

    gap: Gap
    due_s: float
    """When to go on, monotonic."""
    source: object = None
    """That was asked last."""
    is_begun: bool = False
    is_over: bool = False
    is_listed: bool = False
    left: deque[Account] = field(default_factory=deque)
    """Accounts that are still to be asked for,"""
    unasked_recent: deque[Account] = field(default_factory=deque)
    """Those that the server's memory is still to be asked for."""
    again: list[Account] = field(default_factory=list)
    """and those whose answer could not be read."""
    late: dict[str, HistoryPost] = field(default_factory=dict)
    """Written after the end of the gap: a stream should bring them."""
    found: set[str] = field(default_factory=set)
    asked: int = 0
    odd_records: int = 0
    failures: int = 0
    """In a row."""
    reason: str = ""
    """Why it waits."""
    _unasked: int = 0
    _unasked_why: str = ""
    _tries: Counter[str] = field(default_factory=Counter)

    @property
    def has_anything(self) -> bool:
        """Whether some account was asked."""
        return self.asked > 0 or self.gap.recovered > 0

    def note_source(self, source: object) -> None:
        """Take note of where it is asked now: another key need not wait for what was wrong with the one before."""
        if self.source is not None and source != self.source and self.failures:
            self.failures, self.due_s, self.reason = 0, 0.0, ""
        self.source = source

    def note_accounts(self, accounts: Accounts) -> None:
        """These are to be asked for."""
        self.is_listed = True
        self.left.extend(accounts.known)
        self.unasked_recent.extend(account for account in accounts.known if account.sid.isdecimal())
        if accounts.odd:
            self._unasked += accounts.odd
            self._unasked_why = "the list of tracked accounts has them in a way that cannot be read"

    def note_unasked(self, account: Account, why: str) -> None:
        """What this account posted cannot be told."""
        self._unasked += 1
        self._unasked_why = self._unasked_why or f"{one_line(account.name, limit=_LONGEST_NAME)}: {why}"

    def note_odd_answer(self, account: Account, why: str) -> None:
        """The answer about this account could not be read: it is asked for again, at the end and a few times."""
        self._tries[account.id] += 1
        if self._tries[account.id] < _TRIES:
            self.again.append(account)
        else:
            self.note_unasked(account, why)

    def ask_again(self) -> str:
        """Have those asked for again; return why."""
        reason = f"the answers about {len(self.again)} accounts could not be read"
        self.left.extend(self.again)
        self.again.clear()
        return reason

    def note_answer(self, page: Page) -> None:
        """Count what an answer has."""
        self.asked += 1
        self.odd_records += page.odd
        gap_itself = Span(self.gap.began, self.gap.ended or self.gap.began)
        self.found.update(post.mid for post in page.posts if post.at in gap_itself)

    def note_recovered(self, mid: str) -> Gap:
        """Count a post that was brought; return the gap, to be kept."""
        self.found.add(mid)
        self.gap = replace(self.gap, recovered=self.gap.recovered + 1, found=max(len(self.found), self.gap.found))
        return self.gap

    def put_off(
        self, reason: str, *, minimum: timedelta, is_for_a_person: bool, chance: float, now_s: float
    ) -> float | None:
        """Wait 5 s, 10 s … 15 min, more for what a person has to mend, and not less than `minimum`.

        Return how long it is, where the reason is another one than before, so that it is said once.
        """
        first_s = _FIRST_WAIT_FOR_A_PERSON_S if is_for_a_person else _FIRST_WAIT_S
        wait_s = min(first_s * 2 ** min(self.failures, 10), _LONGEST_WAIT_S) * (1 - chance / 5)
        wait_s = max(wait_s, minimum.total_seconds())
        self.failures += 1
        self.due_s = now_s + wait_s
        is_new = reason != self.reason
        self.reason = reason
        return wait_s if is_new else None

    def note(self) -> str:
        """Return what is not as it should be, for people; "": nothing."""
        parts = []
        if self.gap.length is not None and self.gap.length > LONGEST:
            parts.append(f"only its last {LONGEST.days} days were asked for")
        if self._unasked:
            accounts = "account" if self._unasked == 1 else "accounts"
            parts.append(f"{self._unasked} {accounts} could not be asked for ({self._unasked_why})")
        if self.odd_records:
            parts.append(f"{self.odd_records} records of the history could not be read")
        return "; ".join(parts)

    def as_it_stands(self) -> Gap:
        """Return the gap, to be kept while the repair waits."""
        self.gap = replace(self.gap, found=max(len(self.found), self.gap.found), note=self.reason)
        return self.gap

    def end(self, repair: Repair, note: str) -> Gap:
        """Return the gap, to be kept for good."""
        self.is_over = True
        self.gap = replace(self.gap, repair=repair, found=max(len(self.found), self.gap.found), note=note)
        return self.gap
