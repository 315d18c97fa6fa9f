"""The explanation of the routing of one event: what each route did, and how two routings differ."""

from datetime import timedelta

from msgspec.structs import replace

from forwarder.core.delivery import DestinationName
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.routing.explain import Explanation, RouteOutcome, WalkDifference, difference, explain_walk, notes_of
from forwarder.core.routing.first_word import Prefer
from forwarder.core.routing.limiter import RouteLimit
from forwarder.core.routing.router import Route, Router
from tests.support.conditions import NOW, condition, event


def router(*routes: tuple[str, str, bool]) -> Router:
    made = [
        Route(name=name, condition=condition(text), to=(DestinationName(name),), stop=stop)
        for name, text, stop in routes
    ]
    return Router(routes=made)


def test_the_walk_says_what_was_cut_off_and_what_is_disabled() -> None:
    routes = router(("a", "sid: '1'", False), ("b", "source: x", True), ("c", "source: x", False))
    walk = explain_walk(routes, event(), NOW, names=["a", "off", "b", "c"])
    assert [(each.name, each.outcome, each.stopped_by) for each in walk.routes] == [
        ("a", RouteOutcome.NOT_MATCHED, ""),
        ("off", RouteOutcome.DISABLED, ""),
        ("b", RouteOutcome.MATCHED, ""),
        ("c", RouteOutcome.CUT_OFF, "b"),
    ]
    assert walk.routes[2].notes == ("stop: true",)
    assert walk.chosen == {"b": ("b",)}


def test_two_walks_differ_by_destinations_and_routes() -> None:
    then = explain_walk(router(("a", "source: x", False), ("b", "sid: '1'", False)), event(), NOW, names=["a", "b"])
    now = explain_walk(router(("b", "sid: '2'", True), ("c", "source: x", False)), event(), NOW, names=["b", "c"])
    found = difference(then, now)
    assert found.sentences == (
        "a got it then, by a, and does not now",
        "b gets it now, by b",
        "the route b: not matched then, matched now",
        "the route a, which matched, no longer exists",
    )
    assert found.routes == ("b",)
    assert difference(then, then).sentences == ()


def test_the_walk_says_what_a_sample_leaves_out_and_what_a_limit_is() -> None:
    limit = RouteLimit(count=5, per=timedelta(minutes=10), by=(NAMED_FIELDS["author"],))
    routes = Router(
        routes=[
            Route(name="some", condition=condition("source: x"), to=(DestinationName("bot"),), sample=1),
            Route(name="few", condition=condition("source: x"), to=(DestinationName("alerts"),), limit=limit),
        ]
    )
    walk = explain_walk(routes, event(), NOW, names=["some", "few"])
    assert [each.notes for each in walk.routes] == [("sample: 0.01%",), ("limit: 5 in 10m by author",)]
    assert (walk.chosen, walk.sampled) == ({"alerts": ("few",)}, {"bot": ("some",)})


def test_a_destination_that_other_routes_choose_now_and_a_new_route_are_differences() -> None:
    def walk(*names: str) -> Explanation:
        routes = [Route(name=name, condition=condition("source: x"), to=(DestinationName("bot"),)) for name in names]
        return explain_walk(Router(routes=routes), event(), NOW, names=names)

    found = difference(walk("a"), walk("a", "b"))
    assert found.sentences == ("bot gets it by a, b, then by a", "the route b did not exist then")
    assert found.routes == ("b",)


def test_a_new_route_that_does_not_match_is_no_difference() -> None:
    then = explain_walk(router(("a", "source: x", False)), event(), NOW, names=["a"])
    now = explain_walk(router(("a", "source: x", False), ("b", "sid: '1'", False)), event(), NOW, names=["a", "b"])
    assert difference(then, now) == WalkDifference(sentences=(), routes=())


def test_the_notes_of_a_route_are_its_settings_that_are_not_the_default() -> None:
    plain = Route(name="a", condition=condition("source: x"), to=(DestinationName("bot"),))
    assert notes_of(plain) == ()
    waiting = replace(plain, prefer=Prefer.FULL, wait=timedelta(seconds=90), stop=True)
    assert notes_of(waiting) == ("stop: true", "prefer: full", "wait: 1m30s")
