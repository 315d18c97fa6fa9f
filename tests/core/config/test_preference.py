"""`prefer` of a route and `on_full` of a destination, as the daemon gets them."""

from forwarder.core.config.advice import warnings_of
from forwarder.core.delivery import DestinationName
from forwarder.core.preference import OnFull
from forwarder.parts import on_full_of, router_of
from tests.core.config.support import config_text, load

BOT = DestinationName("bot")
EDITS = "format: {type: telegram, chat_id: 5}\non_full: edit"


def test_by_default_every_event_goes() -> None:
    config = load(config_text())
    assert router_of(config).first == frozenset()
    assert on_full_of(config) == {BOT: OnFull.IGNORE}


def test_what_is_written_is_what_the_daemon_gets() -> None:
    config = load(config_text(destination=EDITS, route="prefer: first").replace("/hook", "/bot1:token"))
    assert router_of(config).first == {"route 1"}
    assert on_full_of(config) == {BOT: OnFull.EDIT}
    assert warnings_of(config) == []


def test_an_on_full_that_no_route_gives_a_meaning_is_pointed_out() -> None:
    config = load(config_text(destination=EDITS, route="prefer: all").replace("/hook", "/bot1:token"))
    assert warnings_of(config) == [
        "destinations.bot.on_full: edit: has no effect, as no route to it says prefer: first"
    ]
