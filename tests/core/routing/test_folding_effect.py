"""What folding changes for each route: more and fewer matches, with examples."""

# ruff: noqa: RUF001 - texts that look like others are the subject here

from forwarder.core.delivery import DestinationName
from forwarder.core.matching import Names
from forwarder.core.routing.folding_effect import FoldingEffect
from forwarder.core.routing.router import Route, Router
from tests.support.conditions import NOW, condition, event

CONDITIONS = {
    "urgent": "text: {word: breaking}",
    "calm": "not: {text: {word: breaking}}",
    "exact": "text: {word: breaking, exact: true}",
    "all": "{}",
}


def router(*, exact: bool, stop: bool = False) -> Router:
    names = Names(exact=exact)
    return Router(
        routes=[
            Route(name=name, condition=condition(asked, names), to=(DestinationName("bot"),), stop=stop)
            for name, asked in CONDITIONS.items()
        ]
    )


def effect(*texts: str, stop: bool = False, examples: int = 5) -> FoldingEffect:
    found = FoldingEffect(exact=router(exact=True, stop=stop), folded=router(exact=False, stop=stop), examples=examples)
    for text in texts:
        found.add(event({"text": text}), NOW)
    return found


def test_each_route_is_counted_with_exact_and_with_folded_texts() -> None:
    found = effect("Breaking", "ＢＲＥＡＫＩＮＧ", "brea\u200bking", "gm")
    counts = {name: (each.exact, each.folded, each.more, each.less) for name, each in found.routes.items()}
    assert counts == {"urgent": (1, 3, 2, 0), "calm": (3, 1, 0, 2), "exact": (1, 1, 0, 0), "all": (4, 4, 0, 0)}
    assert found.events == 4
    assert found.is_changed


def test_examples_have_the_routes_that_match_and_are_few() -> None:
    found = effect("ＢＲＥＡＫＩＮＧ", "brea\u200bking", examples=1)
    (more,), (less,) = found.routes["urgent"].would_match, found.routes["calm"].would_not_match
    assert (more.text, more.at, more.routes) == ("ＢＲＥＡＫＩＮＧ", NOW, ("urgent", "all"))
    assert less.routes == ("calm", "all")


def test_a_route_below_one_that_stops_matches_less() -> None:
    found = effect("ＢＲＥＡＫＩＮＧ", stop=True)
    assert (found.routes["urgent"].more, found.routes["calm"].less) == (1, 1)
    assert found.routes["all"].exact == found.routes["all"].folded == 0


def test_plain_texts_change_nothing() -> None:
    assert not effect("Breaking", "gm").is_changed
