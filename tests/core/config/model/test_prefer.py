"""`prefer` of a route and `on_full` of a destination, as the daemon gets them."""

from datetime import timedelta

from forwarder.core.config.lint import warnings_of
from forwarder.core.config.runtime import on_full_of, router_of
from forwarder.core.delivery import DestinationName
from forwarder.core.matching import EVERYTHING
from forwarder.core.routing.first_word import OnFull, Prefer
from forwarder.core.routing.router import Route, Router
from tests.core.config.support import config_text, load

BOT = DestinationName("bot")
EDITS = "format: {type: telegram, chat_id: 5}\non_full: edit"


def test_by_default_every_event_goes() -> None:
    config = load(config_text())
    assert router_of(config).once == frozenset()
    assert on_full_of(config) == {BOT: OnFull.IGNORE}


def test_what_is_written_is_what_the_daemon_gets() -> None:
    config = load(config_text(destination=EDITS, route="prefer: first").replace("/hook", "/bot1:token"))
    assert router_of(config).once == {"route 1"}
    assert on_full_of(config) == {BOT: OnFull.EDIT}
    assert warnings_of(config) == []


def test_an_on_full_that_no_route_gives_a_meaning_is_pointed_out() -> None:
    config = load(config_text(destination=EDITS, route="prefer: all").replace("/hook", "/bot1:token"))
    assert warnings_of(config) == [
        "destinations.bot.on_full: edit: has no effect, because no route to bot has prefer: first or prefer: full"
    ]


def test_how_long_a_first_word_waits_is_what_the_route_says_or_three_seconds() -> None:
    for written, wait in (("", 3), ("\nwait: 1m", 60)):
        router = router_of(load(config_text(route=f"prefer: full{written}")))
        assert router.once == {"route 1"}
        assert router.wait_of(("route 1",)) == timedelta(seconds=wait)


def test_the_shortest_wait_counts_and_a_mix_goes_at_once() -> None:
    def route(name: str, prefer: Prefer, seconds: int = 3) -> Route:
        return Route(name=name, condition=EVERYTHING, to=(BOT,), prefer=prefer, wait=timedelta(seconds=seconds))

    routes = [route("a", Prefer.FULL, 9), route("b", Prefer.FULL, 5), route("c", Prefer.FIRST), route("d", Prefer.ALL)]
    router = Router(routes=routes)
    assert router.once == {"a", "b", "c"}
    assert router.wait_of(("a", "b")) == timedelta(seconds=5)
    assert router.wait_of(("a", "c")) is router.wait_of(("a", "d")) is router.wait_of(("c",)) is None


def test_a_wait_that_outlasts_what_it_waits_for_is_pointed_out() -> None:
    for max_age, wait, is_warned in (("2s", "3s", True), ("3s", "3s", True), ("4s", "3s", False)):
        retry = f"retry: {{schedule: live, max_age: {max_age}}}"
        config = load(config_text(destination=retry, route=f"prefer: full\nwait: {wait}"))
        assert ["routes.route 1.wait: 3 s" in warning for warning in warnings_of(config)] == [True] * is_warned
