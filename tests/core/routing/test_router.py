"""What the routes make of an event that some of them hold back."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from forwarder.core.config.model.sample_and_limit import LimitConfig
from forwarder.core.config.runtime import router_of
from forwarder.core.delivery import DestinationName
from forwarder.core.ledger import SkipReason
from forwarder.core.matching import EVERYTHING, NOTHING, AnyOf
from forwarder.core.routing.limiter import Limiter, OfDestination, RouteLimit
from forwarder.core.routing.router import Route, Router, Selection
from forwarder.core.routing.sampling import is_in_sample
from tests.core.config.support import config_text, load
from tests.support.conditions import NOW, event

ONE = RouteLimit(count=1, per=timedelta(minutes=10))
IN, OUT = (next(mid for mid in map(str, range(100)) if is_in_sample(mid, 5_000) is wanted) for wanted in (True, False))


def route(name: str, *to: str, sample: int | None = None, limit: RouteLimit | None = None, stop: bool = False) -> Route:
    return Route(
        name=name,
        condition=EVERYTHING,
        to=tuple(DestinationName(each) for each in to),
        stop=stop,
        sample=sample,
        limit=limit,
    )


HALF, LIMITED, WHOLE = route("half", "bot", sample=5_000), route("few", "bot", limit=ONE), route("all", "bot")
BOT, ALERTS = DestinationName("bot"), DestinationName("alerts")


def selected(*routes: Route, mids: tuple[str, ...] = (OUT,), unmatched: str | None = None) -> Selection:
    """Return the outcome of the last of these posts."""
    router = Router(routes=routes, unmatched=None if unmatched is None else DestinationName(unmatched))
    limiter = Limiter()
    return [router.select(event(mid=mid), NOW, limiter) for mid in mids][-1]


def test_what_every_route_to_a_destination_holds_back_is_held_with_its_cause_and_their_names() -> None:
    assert selected(HALF).held == {BOT: (SkipReason.SAMPLED, ("half",))}
    assert selected(HALF, mids=(IN,)) == Selection({BOT: ("half",)}, ("half",))
    assert selected(LIMITED, mids=(IN, OUT)).held == {BOT: (SkipReason.LIMITED, ("few",))}
    # A limit reports more than a sample, whichever comes first.
    for routes in ((HALF, LIMITED), (LIMITED, HALF)):
        names = tuple(each.name for each in routes)
        assert selected(*routes, mids=(IN, OUT)).held == {BOT: (SkipReason.LIMITED, names)}


def test_what_another_route_sends_there_is_sent_and_names_that_one_alone() -> None:
    for routes in ((HALF, WHOLE), (WHOLE, HALF)):
        assert selected(*routes) == Selection({BOT: ("all",)}, tuple(each.name for each in routes))
    both = selected(route("r", "bot", "alerts", sample=5_000), route("s", "alerts"))
    assert both == Selection({ALERTS: ("s",)}, ("r", "s"), held={BOT: (SkipReason.SAMPLED, ("r",))})


def test_what_is_held_back_is_matched_all_the_same() -> None:
    stopping = selected(replace(HALF, stop=True), WHOLE, unmatched="alerts")
    assert stopping == Selection({}, ("half",), held={BOT: (SkipReason.SAMPLED, ("half",))})
    assert stopping.is_matched
    assert selected(replace(HALF, condition=NOTHING), unmatched="alerts").chosen == {ALERTS: ("unmatched",)}


def test_a_limit_counts_what_the_sample_leaves() -> None:
    both = route("r", "bot", sample=5_000, limit=ONE)
    assert selected(both, mids=(OUT, IN)).chosen == {BOT: ("r",)}


def test_without_a_limiter_nothing_is_counted() -> None:
    router = Router(routes=[LIMITED])
    assert all(router.select(event(mid=str(mid)), NOW).chosen for mid in range(5))


def test_both_forms_of_a_limit_mean_the_same() -> None:
    def limit(written: str) -> RouteLimit:
        found = router_of(load(config_text(route=f"limit: {written}"))).routes[0].limit
        assert found is not None
        return found

    assert limit("5/10m") == limit("{count: 5, per: 10m}") == RouteLimit(count=5, per=timedelta(minutes=10))
    assert limit("20/m") == limit("20/1m")
    assert limit("${LIMIT:-3/1h30m}") == RouteLimit(count=3, per=timedelta(hours=1.5))
    assert limit("5/10m").summary_to == limit("{count: 5, per: 10m, summary: true}").summary_to == (BOT,)
    assert limit("{count: 5, per: 10m, summary: false}").summary_to == ()
    assert limit("{count: 5, per: 10m, summary: bot}").summary_to == (BOT,)
    assert [each.name for each in limit("{count: 5, per: 10m, by: author}").by] == ["author"]
    assert [each.name for each in limit("{count: 5, per: 10m, by: [author, payload.a.b]}").by] == [
        "author",
        "payload.a.b",
    ]


def test_shares_are_hundredths_of_a_percent() -> None:
    written = {"10%": 1_000, "0.01%": 1, "0.1%": 10, "12.34%": 1_234, "100%": 10_000, "100.00%": 10_000}
    for text, share in written.items():
        assert router_of(load(config_text(route=f"sample: {text}"))).routes[0].sample == share


def test_a_program_makes_a_limit_without_a_file() -> None:
    made = LimitConfig(count=5, per=timedelta(minutes=1), summary=False)
    assert made.value(["bot"]) == RouteLimit(count=5, per=timedelta(minutes=1))


def test_every_matching_route_delivers_once_to_each_destination_until_one_stops() -> None:
    router = Router(
        routes=[
            route("a", "x", "y"),
            replace(route("b", "z"), condition=NOTHING),
            route("c", "y", stop=True),
            route("d", "z"),
        ]
    )
    assert router.select(event(), NOW).chosen == {"x": ("a",), "y": ("a", "c")}


def test_what_no_route_wants_is_dropped_or_goes_where_the_config_says() -> None:
    assert Router(routes=[replace(route("b", "z"), condition=NOTHING)]).select(event(), NOW).chosen == {}
    assert Router(routes=[], unmatched=BOT).select(event(), NOW).chosen == {"bot": ("unmatched",)}


@given(st.lists(st.tuples(st.lists(st.sampled_from(["bot", "alerts", "log"]), max_size=3), st.booleans()), max_size=5))
def test_routes_that_ask_nothing_select_what_the_same_routes_select_with_a_condition_that_always_holds(
    wanted: list[tuple[list[str], bool]],
) -> None:
    routes = [route(f"r{number}", *to, stop=stop) for number, (to, stop) in enumerate(wanted)]
    asking = [replace(each, condition=AnyOf((EVERYTHING, NOTHING))) for each in routes]
    for unmatched in (None, ALERTS):
        direct, evaluated = (Router(routes=each, unmatched=unmatched) for each in (routes, asking))
        assert (direct.always is not None) == bool(routes)
        assert evaluated.always is None
        assert direct.select(event(), NOW) == evaluated.select(event(), NOW)


def test_routes_are_asked_about_every_event_where_any_of_them_holds_something_back_or_has_a_condition() -> None:
    for one in (HALF, LIMITED, replace(WHOLE, condition=NOTHING)):
        assert Router(routes=[WHOLE, one]).always is None


def limited(*routes: Route, unmatched: str | None = None) -> Router:
    """Return a router whose destination bot gets one post in ten minutes."""
    end = None if unmatched is None else DestinationName(unmatched)
    return Router(routes=routes, unmatched=end, destination_limits={BOT: ONE})


def test_the_limit_of_a_destination_holds_over_all_its_routes_and_counts_a_post_once() -> None:
    limiter = Limiter()
    router = limited(route("one", "bot", "alerts"), route("two", "bot"))
    assert router.always is None
    assert router.select(event(mid="1"), NOW, limiter).chosen == {BOT: ("one", "two"), ALERTS: ("one",)}
    assert router.select(event(mid="1"), NOW, limiter).chosen == {BOT: ("one", "two"), ALERTS: ("one",)}
    assert router.select(event(mid="2"), NOW, limiter) == Selection(
        {ALERTS: ("one",)}, ("one", "two"), held={BOT: (SkipReason.LIMITED, ("one", "two"))}
    )


def test_the_limit_of_a_destination_comes_after_those_of_its_routes_and_holds_for_unmatched_too() -> None:
    limiter = Limiter()
    router = limited(HALF, replace(LIMITED, condition=NOTHING))
    assert router.select(event(mid=OUT), NOW, limiter).held == {BOT: (SkipReason.SAMPLED, ("half",))}
    assert router.select(event(mid=IN), NOW, limiter).chosen == {BOT: ("half",)}
    nothing, limiter = limited(replace(WHOLE, condition=NOTHING), unmatched="bot"), Limiter()
    assert nothing.select(event(mid="1"), NOW, limiter).chosen == {BOT: ("unmatched",)}
    assert nothing.select(event(mid="2"), NOW, limiter).held == {BOT: (SkipReason.LIMITED, ("unmatched",))}


def test_without_a_limiter_the_limit_of_a_destination_is_ignored() -> None:
    router = limited(WHOLE)
    assert all(router.select(event(mid=str(mid)), NOW).chosen for mid in range(5))


def test_a_route_and_a_destination_of_one_name_have_counts_of_their_own_and_a_reload_keeps_them() -> None:
    limiter = Limiter()
    router = Router(routes=[route("bot", "bot", limit=RouteLimit(count=2, per=ONE.per))], destination_limits={BOT: ONE})
    assert dict(router.limits) == {"bot": RouteLimit(count=2, per=ONE.per), OfDestination(BOT): ONE}
    limiter.follow(router.limits)
    assert router.select(event(mid="1"), NOW, limiter).chosen
    limiter.follow(limited(WHOLE).limits)
    assert router.select(event(mid="2"), NOW, limiter).held == {BOT: (SkipReason.LIMITED, ("bot",))}
    limiter.follow({OfDestination(BOT): RouteLimit(count=3, per=ONE.per)})
    assert (
        Router(routes=[WHOLE], destination_limits={BOT: RouteLimit(count=3, per=ONE.per)})
        .select(event(mid="3"), NOW, limiter)
        .chosen
    )


def test_the_summary_of_a_destination_that_is_limited_names_it() -> None:
    limiter = Limiter()
    router = Router(routes=[WHOLE], destination_limits={BOT: RouteLimit(count=1, per=ONE.per, summary_to=(ALERTS,))})
    limiter.follow(router.limits)
    for mid in ("1", "2", "3"):
        router.select(event(mid=mid), NOW, limiter)
    (held,) = limiter.due(NOW, is_last=True)
    assert (held.route, held.destination, held.count, held.limit.summary_to) == ("", "bot", 2, (ALERTS,))


def test_enabled_destinations_have_the_limits_that_the_config_says_and_defaults_are_for_each() -> None:
    text = config_text(
        destination="limit: {count: 5, per: 10m, by: author}",
        rest="  - to: [other, off]\ndefaults: {limit: 2/h}\n",
    ).replace(
        "routes:", "  other: {url: 'http://127.0.0.1:9/'}\n  off: {url: 'http://127.0.0.1:9/', enabled: false}\nroutes:"
    )
    limits = router_of(load(text)).destination_limits
    assert {name: str(limit) for name, limit in limits.items()} == {"bot": "5 in 10m by author", "other": "2 in 1h"}
    assert [limit.summary_to for limit in limits.values()] == [("bot",), ("other",)]
