"""A changed config over the history: what `prefer` and `limit` make of it."""

from datetime import timedelta

from forwarder.core.backtest import Moment, Simulation, looking_ahead
from forwarder.core.delivery import DestinationName
from forwarder.core.limits import Limit
from forwarder.core.matching import EVERYTHING
from forwarder.core.preference import Prefer
from forwarder.core.routing import Route, Router
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
    route = Route(name="few", condition=EVERYTHING, to=(BOT,), limit=Limit(count=1, per=timedelta(minutes=1)))
    moments = [moment("telegram", str(number), 25 * number) for number in range(5)]
    assert sent(route, moments) == [("telegram", "0"), ("telegram", "3")]


def test_what_is_looked_at_is_what_comes_within_the_span() -> None:
    moments = [moment("fast-x", "1", 0), moment("x", "1", 1), moment("x", "1", 2), moment("x", "1", 4)]
    seen = [(at, [later for _, later in full]) for (_, at), full in looking_ahead(moments, timedelta(seconds=2))]
    times = [at for _, at in moments]
    assert seen == [(times[0], times[1:3]), (times[1], [times[2]]), (times[2], [times[3]]), (times[3], [])]
    assert [full for _, full in looking_ahead(moments, timedelta())] == [(), (), (), ()]
