"""How many posts a route lets through, what it held back, and what of it is remembered."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.delivery import DestinationName
from forwarder.core.matching import Subject
from forwarder.core.matching.fields import field_of
from forwarder.core.matching.subject import Field
from forwarder.core.monitoring import notices
from forwarder.core.routing.first_word import WINDOW
from forwarder.core.routing.limiter import HeldBack, Limiter, RouteLimit
from tests.support.conditions import NOW, subject

BOT = (DestinationName("bot"),)
MINUTE = timedelta(minutes=1)


def by(*names: str) -> tuple[Field, ...]:
    return tuple(found for name in names if (found := field_of(name)) is not None)


def limit(count: int = 2, per: timedelta = MINUTE, *names: str) -> RouteLimit:
    return RouteLimit(count=count, per=per, by=by(*names), summary_to=BOT)


def post(
    mid: object, after_s: float = 0, *, source: str = "x", author: str | None = "foo", **payload: object
) -> Subject:
    """Return an event of a post, so many seconds after `NOW`."""
    fields = {"text": "hello", **({"author": {"screen_name": author}} if author else {}), **payload}
    return subject(fields, now=NOW + timedelta(seconds=after_s), source=source, mid=str(mid))  # type: ignore[arg-type] # JSON


def chat(mid: object, channel: int | None) -> Subject:
    """Return a message of a Telegram channel, which has no author."""
    fields = {} if channel is None else {"channelId": str(channel)}
    return post(mid, 0, source="telegram", author=None, **fields)


class Asked:
    """A limiter that is asked for one route."""

    def __init__(self, wanted: RouteLimit, *, capacity: int = 100_000) -> None:
        self.limit = wanted
        self.limiter = Limiter(capacity=capacity)

    def goes(self, event: Subject, route: str = "r") -> bool:
        return self.limiter.lets_through(route, self.limit, event)

    def due(self, after_s: float, *, is_last: bool = False) -> list[HeldBack]:
        return self.limiter.due(NOW + timedelta(seconds=after_s), is_last=is_last)


@given(
    st.integers(1, 5),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from("abc")), max_size=80),
)
def test_of_each_value_never_more_go_than_count_in_any_span_and_whatever_may_go_goes(
    count: int, per_s: int, posts: list[tuple[int, str]]
) -> None:
    """Against the plainest model: a list of all that went."""
    asked = Asked(limit(count, timedelta(seconds=per_s), "author"))
    went: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    at = 0
    for number, (wait, author) in enumerate(posts):
        at += wait
        recent = [time for time in went[author] if time > at - per_s]
        assert asked.goes(post(number, at, author=author)) == (len(recent) < count)
        if len(recent) < count:
            went[author].append(at)
    for times in went.values():
        for start in times:
            assert sum(start <= time < start + per_s for time in times) <= count


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["x", "fast-x"]), st.integers(0, 12)), min_size=1, max_size=60
    )
)
def test_all_events_of_a_post_get_the_same_decision_and_count_once(
    events: list[tuple[int, str, int]],
) -> None:
    asked = Asked(limit(3, timedelta(seconds=5)))
    verdicts: dict[int, set[bool]] = {}
    first_at: dict[int, int] = {}
    at = 0
    for wait, source, mid in events:
        at += wait
        first_at.setdefault(mid, at)
        verdicts.setdefault(mid, set()).add(asked.goes(post(mid, at, source=source)))
    assert all(len(found) == 1 for found in verdicts.values())
    times = sorted(first_at[mid] for mid, found in verdicts.items() if True in found)
    assert all(sum(start <= time < start + 5 for time in times) <= 3 for start in times)
    held = sum(False in found for found in verdicts.values())
    assert sum(summary.count for summary in asked.due(at, is_last=True)) == held


def test_events_of_other_sources_are_posts_of_their_own_whatever_their_ids() -> None:
    asked = Asked(limit(1))
    assert asked.goes(post(1, source="telegram"))
    assert not asked.goes(post(1, source="telegram", text="edited"))


def test_a_post_is_known_for_ten_minutes() -> None:
    asked = Asked(limit(1, timedelta(seconds=1)))
    assert asked.goes(post(1, source="fast-x"))
    assert asked.goes(post(2, WINDOW.total_seconds()))
    assert asked.goes(post(1, WINDOW.total_seconds()))
    assert not asked.goes(post(1, WINDOW.total_seconds() + 0.5, source="fast-x"))


def test_routes_have_nothing_to_do_with_each_other() -> None:
    asked = Asked(limit(1))
    assert asked.goes(post(1), route="one")
    assert asked.goes(post(2), route="other")
    assert not asked.goes(post(2), route="one")


@pytest.mark.parametrize(
    ("names", "one", "other", "is_same"),
    [
        (("author",), post(1, author="Foo"), post(2, author="fOO"), True),
        (("payload.n",), post(1, n="a"), post(2, n="A"), False),
        (("payload.n",), post(1, n=1), post(2, n=1.0), False),
        (("payload.n",), post(1, n="1"), post(2, n=1), True),
        (("payload.n",), post(1, n=["a", "b"]), post(2, n=["a", "b"]), True),
        (("payload.n",), post(1, n=["a", "b"]), post(2, n=["ab"]), False),
        (("payload.n",), post(1), post(2), True),
        (("payload.n",), post(1), post(2, n=""), False),
        (("payload.n",), post(1, n={"b": 1, "a": 2}), post(2, n={"a": 2, "b": 1}), True),
        (("payload.n", "payload.m"), post(1, n="a", m="b"), post(2, n="b", m="a"), False),
        (("payload.n", "payload.m"), post(1, n="a"), post(2, m="a"), False),
        (("source", "author"), post(1), post(2, source="fast-x"), False),
        (("payload.n",), post(1, n="\ud800"), post(2, n="\ud800"), True),
        ((), post(1, author="a"), post(2, author=None), True),
        (("author",), chat(1, -100), chat(2, -100), True),
        (("author",), chat(1, -100), chat(2, -200), False),
        (("author_id",), chat(1, -100), chat(2, -200), False),
        (("author_name",), chat(1, -100), chat(2, -200), False),
        (("author",), chat(1, -100), post(2, author="-100"), False),
        (("author",), chat(1, None), chat(2, None), True),
        (("author",), chat(1, None), post(2, source="rss", author=None), False),
        (("author",), post(1, source="rss", author=None), post(2, source="rss", author="rss"), False),
        (("channel",), post(1), post(2, author="bar"), True),
    ],
)
def test_what_counts_together(names: Sequence[str], one: Subject, other: Subject, *, is_same: bool) -> None:
    asked = Asked(limit(1, MINUTE, *names))
    assert asked.goes(one)
    assert asked.goes(other) != is_same


@given(st.lists(st.integers(-200, 200), max_size=60))
def test_a_clock_that_is_set_never_closes_a_limit_for_longer_than_twice_its_span(steps: list[int]) -> None:
    asked = Asked(limit(2, MINUTE))
    at = 0
    for number, step in enumerate(steps):
        at += step
        asked.goes(post(number, at))
    assert asked.goes(post("next", at + 121))


def test_memory_is_bounded_and_the_window_that_was_quiet_for_longest_is_forgotten_first() -> None:
    asked = Asked(limit(1, timedelta(hours=1), "author"), capacity=100)
    for number in range(1_000):
        assert asked.goes(post(number, author=f"a{number}"))
    assert len(asked.limiter) == 100
    assert not asked.goes(post("new", author="a999"))
    assert not asked.goes(post("new too", author="a900"))
    assert asked.goes(post("forgotten", author="a899"))


def test_so_are_the_times_of_windows_that_hold_many() -> None:
    asked = Asked(limit(1_000, timedelta(hours=1), "author"), capacity=10)
    for author in ("a", "b"):
        for number in range(100):
            assert asked.goes(post(f"{author}{number}", author=author))
    assert len(asked.limiter) == 1


def test_what_is_past_is_forgotten() -> None:
    asked = Asked(limit(1, MINUTE, "author"))
    for number in range(100):
        asked.goes(post(number, author=f"a{number}"))
    asked.goes(post("later", 61, author="b"))
    assert len(asked.limiter) == 1


def test_a_reload_keeps_what_stays_as_it_is_begins_again_what_changed_and_reports_both() -> None:
    limiter = Limiter()
    for name in ("same", "changed", "gone"):
        limiter.follow({route: limit(1) for route in ("same", "changed", "gone")})
        assert limiter.lets_through(name, limit(1), post(1))
        assert not limiter.lets_through(name, limit(1), post(2))
    alerts = (DestinationName("alerts"),)
    same = RouteLimit(count=1, per=MINUTE, summary_to=alerts)
    limiter.follow({"same": same, "changed": limit(2)})
    assert not limiter.lets_through("same", same, post(3))
    assert limiter.lets_through("changed", limit(2), post(3))
    assert limiter.lets_through("changed", limit(2), post(2))  # which it held back as it was
    found = {summary.route: (summary.count, summary.limit.summary_to) for summary in limiter.due(NOW)}
    assert found == {"changed": (1, BOT), "gone": (1, BOT)}
    assert [(summary.route, summary.count, summary.limit.summary_to) for summary in limiter.due(NOW + MINUTE)] == [
        ("same", 2, alerts)
    ]
    assert limiter.due(NOW + timedelta(days=1)) == []


def test_what_was_held_back_is_reported_once_when_the_span_is_over_since_the_first_of_it() -> None:
    asked = Asked(limit(1, MINUTE, "author"))
    for number in range(5):
        asked.goes(post(number, 10 * number))
    assert asked.due(69.9) == []
    (summary,) = asked.due(70)
    assert (summary.route, summary.count, summary.top) == ("r", 4, [("@foo", 4)])
    assert (summary.first, summary.last) == (NOW + timedelta(seconds=10), NOW + timedelta(seconds=40))
    assert asked.due(1_000) == []
    asked.goes(post(10, 59))
    assert [each.count for each in asked.due(59, is_last=True)] == [1]


def test_nobody_is_notified_of_what_is_not_to_be_reported() -> None:
    asked = Asked(RouteLimit(count=1, per=MINUTE))
    assert [asked.goes(post(number)) for number in range(3)] == [True, False, False]
    assert asked.due(1_000, is_last=True) == []


@given(st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=80), st.integers(1, 10))
def test_a_flood_of_many_makes_one_summary_whose_numbers_add_up(authors: list[str], capacity: int) -> None:
    asked = Asked(limit(1, MINUTE, "author"), capacity=capacity)
    held = Counter(author for number, author in enumerate(authors) if not asked.goes(post(number, author=author)))
    summaries = asked.due(60)
    assert len(summaries) == bool(held)
    for each in summaries:
        assert each.count == held.total()
        assert len(each.top) <= 3
        assert all(count <= held[label.removeprefix("@")] for label, count in each.top)
        if capacity >= len(held):
            assert [count for _, count in each.top] == [count for _, count in held.most_common(3)]


def test_the_room_for_values_is_free_again_once_they_are_reported() -> None:
    asked = Asked(limit(1, MINUTE, "author"), capacity=2)
    for hour in range(3):
        for number, author in enumerate("aabb"):
            asked.goes(post(f"{hour} {number}", 3600 * hour, author=author))
        (each,) = asked.due(3600 * hour, is_last=True)
        assert each.top == [("@a", 1), ("@b", 1)]


def text_of(count: int, *top: tuple[str, int], names: Sequence[str] = ()) -> str:
    notice = notices.limited(
        HeldBack(
            route="floods",
            limit=limit(5, timedelta(minutes=10), *names),
            count=count,
            first=NOW,
            last=NOW + timedelta(seconds=99),
            top=top,
        )
    )
    posts = "1 post" if count == 1 else f"{count:,} posts"
    assert notice.title == f'Route "floods": {posts} not sent'
    return notice.text


def test_a_summary_says_how_much_of_whom_and_when() -> None:
    end = " First: 2026-01-01 12:00:00 UTC, last: 2026-01-01 12:01:39 UTC."
    assert text_of(12, ("@foo", 12), names=["author"]) == (
        f'Route "floods": 12 posts not sent (limit 5 per 10 min for each author); 12 from @foo.{end}'
    )
    assert text_of(1) == f'Route "floods": 1 post not sent (limit 5 per 10 min).{end}'
    assert "; 31 without an author, 2 without a channel, 1 from @a. First" in text_of(
        34, ("no author", 31), ("no channel", 2), ("@a", 1), names=["author", "channel"]
    )
    assert text_of(1_240, ("@a / 1", 900), ("@b / 1", 40), ("@c / 2", 30), names=["author", "channel"]).startswith(
        'Route "floods": 1,240 posts not sent (limit 5 per 10 min for each author and channel); '
        "900 from @a / 1, 40 from @b / 1, 30 from @c / 2, 270 from others. First: "
    )


def test_a_summary_of_the_limit_of_a_destination_is_about_that_destination() -> None:
    held = HeldBack(
        destination="bot",
        limit=limit(5, timedelta(minutes=10), "author"),
        count=3,
        first=NOW,
        last=NOW + timedelta(seconds=99),
        top=[("@a", 2)],
    )
    event = notices.as_event(notices.limited(held), now=NOW, number=1)
    assert event.sid == "bot"
    assert isinstance(event.payload, dict)
    assert (event.payload["destination"], event.payload["title"]) == ("bot", "3 posts not sent to bot")
    assert event.payload["text"] == (
        "3 posts not sent to bot (limit 5 per 10 min for each author); 2 from @a, 1 from others. "
        "First: 2026-01-01 12:00:00 UTC, last: 2026-01-01 12:01:39 UTC."
    )


def test_a_summary_is_an_event_of_our_own_that_names_the_route_whatever_the_value_was() -> None:
    asked = Asked(limit(1, MINUTE, "payload.n", "author"))
    for number in range(2):
        asked.goes(post(number, n="\ud800\n\x1b[1m" + 100 * "long ", author=None))
    (held,) = asked.due(60)
    event = notices.as_event(notices.limited(held), now=NOW, number=1)
    assert (event.source, event.sid) == ("forwarder", "r")
    assert isinstance(event.payload, dict)
    assert (event.payload["route"], event.payload["kind"]) == ("r", "limited")
    said = str(event.payload["text"])
    assert said.isprintable()
    assert "; 1 from    [1mlong long long long long long lon… / source x. First" in said


def test_a_summary_names_only_so_many_values_but_counts_all_posts() -> None:
    asked = Asked(limit(1, MINUTE, "author"), capacity=2)
    assert [asked.goes(post(f"{author}{number}", author=author)) for author in "abc" for number in (1, 2)] == [
        True,
        False,
    ] * 3
    (summary,) = asked.due(0, is_last=True)
    assert summary.count == 3
    assert list(summary.top) == [("@a", 1), ("@b", 1)]


def test_a_summary_names_the_channel_or_the_source_of_posts_without_an_author() -> None:
    asked = Asked(limit(1, MINUTE, "author"))
    for number in range(3):
        asked.goes(chat(number, -100))
    for number in range(2):
        asked.goes(post(number, source="rss", author=None))
    (summary,) = asked.due(0, is_last=True)
    assert list(summary.top) == [("channel -100", 2), ("source rss", 1)]
