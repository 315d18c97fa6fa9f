"""A changed config over the history: what `prefer` and `limit` make of it."""

from datetime import timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.matching import EVERYTHING
from forwarder.core.routing.backtest import Comparison, Moment, Simulation, looking_ahead
from forwarder.core.routing.first_word import Prefer
from forwarder.core.routing.limiter import RouteLimit
from forwarder.core.routing.router import Route, Router
from tests.support.conditions import NOW, condition, event

BOT = DestinationName("bot")


def moment(source: str, mid: str, after_s: float) -> Moment:
    return event({"text": "gm"}, source=source, mid=mid), NOW + timedelta(seconds=after_s)


def sent(route: Route, moments: list[Moment]) -> list[tuple[str, str]]:
    simulation = Simulation(Router(routes=[route]), disabled=frozenset(), on_full={})
    went = []
    for number, ((each, at), full) in enumerate(looking_ahead(moments, simulation.longest_wait)):
        if BOT in simulation.sent(each, event_seq=number, now=at, full=full):
            went.append((each.source, each.mid))
    return went


def test_the_full_text_goes_once_and_the_first_word_where_none_comes_in_time() -> None:
    moments = [
        moment("fast-x", "1", 0),
        moment("fast-x", "2", 0.5),
        moment("x", "1", 1),  # in time
        moment("x", "3", 1.5),
        moment("fast-x", "3", 2),  # after its full text
        moment("telegram", "4", 3),
        moment("x", "2", 9),  # too late
    ]
    full = Route(name="full", condition=EVERYTHING, to=(BOT,), prefer=Prefer.FULL, wait=timedelta(seconds=3))
    assert sent(full, moments) == [("fast-x", "2"), ("x", "1"), ("x", "3"), ("telegram", "4")]
    first = Route(name="first", condition=EVERYTHING, to=(BOT,), prefer=Prefer.FIRST)
    assert sent(first, moments) == [("fast-x", "1"), ("fast-x", "2"), ("x", "3"), ("telegram", "4")]


def test_a_full_text_that_goes_elsewhere_replaces_nothing() -> None:
    route = Route(name="fast", condition=condition("source: fast-x"), to=(BOT,), prefer=Prefer.FULL)
    assert sent(route, [moment("fast-x", "1", 0), moment("x", "1", 1)]) == [("fast-x", "1")]


def test_a_limit_holds_back_as_it_would_have() -> None:
    route = Route(name="few", condition=EVERYTHING, to=(BOT,), limit=RouteLimit(count=1, per=timedelta(minutes=1)))
    moments = [moment("telegram", str(number), 25 * number) for number in range(5)]
    assert sent(route, moments) == [("telegram", "0"), ("telegram", "3")]


def test_what_is_looked_at_is_what_comes_within_the_span() -> None:
    moments = [moment("fast-x", "1", 0), moment("x", "1", 1), moment("x", "1", 2), moment("x", "1", 4)]
    seen = [(at, [later for _, later in full]) for (_, at), full in looking_ahead(moments, timedelta(seconds=2))]
    times = [at for _, at in moments]
    assert seen == [(times[0], times[1:3]), (times[1], [times[2]]), (times[2], [times[3]]), (times[3], [])]
    assert [full for _, full in looking_ahead(moments, timedelta())] == [(), (), (), ()]


def test_a_comparison_counts_both_sides_and_keeps_the_first_examples() -> None:
    other = DestinationName("other")
    found = Comparison(examples=2)
    for number in range(3):
        found.add(*moment("x", str(number), 0), then={BOT: ("r",)}, now={other: ("new",)})
    found.add(*moment("x", "9", 0), then={BOT: ("r",)}, now={BOT: ("r", "new")})
    assert (found.events, found.nowhere_then, found.nowhere_now) == (4, 0, 0)
    of_bot, of_other = found.destinations[BOT], found.destinations[other]
    assert (of_bot.same, of_bot.less, of_bot.then, of_bot.now) == (1, 3, 4, 1)
    assert (of_other.more, of_other.then, of_other.now) == (3, 0, 3)
    assert [example.mid for example in of_bot.would_miss] == ["0", "1"]
    assert [(example.text, example.routes) for example in of_other.would_get] == [("gm", ("new",))] * 2
    assert (found.hits_then, found.hits_now) == ({"r": 4}, {"new": 4, "r": 1})
    assert found.is_changed


def test_a_comparison_without_a_difference_has_not_changed() -> None:
    found = Comparison()
    found.add(*moment("x", "1", 0), then={}, now={})
    found.add(*moment("x", "2", 0), then={BOT: ("r",)}, now={BOT: ("r",)})
    assert not found.is_changed
    assert (found.nowhere_then, found.nowhere_now) == (1, 1)


def test_a_long_text_of_an_example_is_cut() -> None:
    found = Comparison()
    long = event({"text": "word " * 100}), NOW
    found.add(*long, then={}, now={BOT: ("r",)})
    (example,) = found.destinations[BOT].would_get
    assert example.text.endswith("…")
    assert len(example.text) == 61


def test_a_disabled_destination_is_sent_nothing() -> None:
    route = Route(name="r", condition=EVERYTHING, to=(BOT,))
    simulation = Simulation(Router(routes=[route]), disabled=frozenset({BOT}), on_full={})
    each, at = moment("x", "1", 0)
    assert simulation.sent(each, event_seq=1, now=at) == {}
