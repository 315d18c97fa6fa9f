"""How far the repair of a gap has come, and which time span of the history it requests. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from forwarder.core.counted import counted
from forwarder.core.gaps.gap import Gap, Repair
from forwarder.core.gaps.history_api import Account, Accounts, HistoryPost, Page, TimeSpan
from forwarder.core.text import one_line

FULL_ONLY, FAST_AND_FULL = ("x",), ("x", "fast-x")
MARGIN = timedelta(seconds=30)
"""Added before and after a gap: clocks differ, and a post is written a little before it is sent."""
LONGEST = timedelta(days=7)
"""The longest span that is requested; of a longer gap, its end."""
ABANDON_AFTER = timedelta(hours=24)
"""How long after the end of a gap its repair is abandoned."""
_TRIES = 3
"""How often an account is requested whose response cannot be read."""
_FIRST_WAIT_S, _FIRST_WAIT_FOR_A_PERSON_S, _LONGEST_WAIT_S = 5.0, 60.0, 900.0
_LONGEST_NAME = 50


def span_of(gap: Gap, *, now: datetime, kept_for: timedelta) -> TimeSpan:
    """Return the time span to request. It has no margin before the gap if the outbox no longer has the events of that time."""
    ended = gap.ended or now
    since = gap.began - MARGIN if gap.began - MARGIN > now - kept_for else gap.began
    return TimeSpan(max(since, ended - LONGEST), ended + MARGIN)


@dataclass(slots=True)
class RepairProgress:
    """Keeps how far the repair of one gap has come. After a restart it begins again, except for what was recovered."""

    gap: Gap
    due_s: float
    """When to continue, in monotonic seconds."""
    source: object = None
    """The history that was requested last."""
    is_begun: bool = False
    is_over: bool = False
    is_listed: bool = False
    """Whether the tracked accounts are known."""
    left: deque[Account] = field(default_factory=deque)
    """The accounts whose history is still to be requested."""
    unasked_recent: deque[Account] = field(default_factory=deque)
    """The accounts whose recent posts are still to be requested."""
    again: list[Account] = field(default_factory=list)
    """The accounts to be requested again, because their response could not be read."""
    late: dict[str, HistoryPost] = field(default_factory=dict)
    """Posts written after the end of the gap, by `mid`: a stream should bring them."""
    found: set[str] = field(default_factory=set)
    asked: int = 0
    odd_records: int = 0
    failures: int = 0
    """How many requests failed in a row."""
    reason: str = ""
    """Why the repair waits."""
    _unasked: int = 0
    _unasked_why: str = ""
    _tries: Counter[str] = field(default_factory=Counter)

    @property
    def has_anything(self) -> bool:
        """Whether anything was found out about the gap."""
        return self.asked > 0 or self.gap.recovered > 0

    def note_source(self, source: object) -> None:
        """Note which history is requested now: another key need not wait for a fault of the one before."""
        if self.source is not None and source != self.source and self.failures:
            self.failures, self.due_s, self.reason = 0, 0.0, ""
        self.source = source

    def note_accounts(self, accounts: Accounts) -> None:
        """Note the accounts to be requested."""
        self.is_listed = True
        self.left.extend(accounts.known)
        self.unasked_recent.extend(account for account in accounts.known if account.sid.isdecimal())
        if accounts.odd:
            self._unasked += accounts.odd
            self._unasked_why = "their records in the list of tracked accounts cannot be read"

    def note_unasked(self, account: Account, why: str) -> None:
        """Note that the posts of this account could not be fetched."""
        self._unasked += 1
        self._unasked_why = self._unasked_why or f"{one_line(account.name, limit=_LONGEST_NAME)}: {why}"

    def note_odd_answer(self, account: Account, why: str) -> None:
        """Note that the response for this account could not be read: it is requested again at the end, a few times."""
        self._tries[account.id] += 1
        if self._tries[account.id] < _TRIES:
            self.again.append(account)
        else:
            self.note_unasked(account, why)

    def ask_again(self) -> str:
        """Request those accounts again; return why."""
        reason = f"the responses for {counted(len(self.again), 'account')} could not be read"
        self.left.extend(self.again)
        self.again.clear()
        return reason

    def note_answer(self, page: Page) -> None:
        """Count what a response has."""
        self.asked += 1
        self.odd_records += page.odd
        gap_itself = TimeSpan(self.gap.began, self.gap.ended or self.gap.began)
        self.found.update(post.mid for post in page.posts if post.at in gap_itself)

    def note_recovered(self, mid: str) -> Gap:
        """Count a recovered post; return the gap, to be kept."""
        self.found.add(mid)
        self.gap = replace(self.gap, recovered=self.gap.recovered + 1, found=max(len(self.found), self.gap.found))
        return self.gap

    def postpone(
        self, reason: str, *, minimum: timedelta, needs_a_person: bool, chance: float, now_s: float
    ) -> float | None:
        """Wait 5 s, 10 s … 15 min, longer if a person has to fix it, and not less than `minimum`.

        Return the wait if the reason differs from the last one, and `None` otherwise, so that each reason is reported once.
        """
        first_s = _FIRST_WAIT_FOR_A_PERSON_S if needs_a_person else _FIRST_WAIT_S
        wait_s = min(first_s * 2 ** min(self.failures, 10), _LONGEST_WAIT_S) * (1 - chance / 5)
        wait_s = max(wait_s, minimum.total_seconds())
        self.failures += 1
        self.due_s = now_s + wait_s
        is_new = reason != self.reason
        self.reason = reason
        return wait_s if is_new else None

    def note(self) -> str:
        """Return what is incomplete, for people; "" if nothing is."""
        parts = []
        if self.gap.length is not None and self.gap.length > LONGEST:
            parts.append(f"only its last {LONGEST.days} days were requested")
        if self._unasked:
            parts.append(f"the posts of {counted(self._unasked, 'account')} could not be fetched ({self._unasked_why})")
        if self.odd_records:
            parts.append(f"{counted(self.odd_records, 'record')} of the history could not be read")
        return "; ".join(parts)

    def waiting(self) -> Gap:
        """Return the gap, to be kept while the repair waits."""
        self.gap = replace(self.gap, found=max(len(self.found), self.gap.found), note=self.reason)
        return self.gap

    def end(self, repair: Repair, note: str) -> Gap:
        """End the repair; return the gap, to be kept."""
        self.is_over = True
        self.gap = replace(self.gap, repair=repair, found=max(len(self.found), self.gap.found), note=note)
        return self.gap
